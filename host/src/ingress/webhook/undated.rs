//! Accepts a request once whose time of signing cannot be read. No window bounds it, and the start of the process does not either, so
//! its signature is remembered in the store: no later process and no other host of the store answers a recorded one again.

use std::time::Duration;

use crate::callback::verify::Signed;
use crate::ingress::webhook::replay::NotOnce;
use crate::store::Store;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::marks::MarkState;

/// Time for which a signature is remembered. A card can be clicked for a twelfth of it.
const REMEMBERED: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Time after which a request that was not answered may come again.
const LEASE: Duration = Duration::from_secs(60);

/// The acceptance of such a request.
#[derive(Debug)]
pub(super) struct Undated {
    store: Store,
    mark: Mark,
}

impl Undated {
    /// Accepts a signature, once. `None` for one whose time is known.
    pub(super) async fn admit(
        store: &Store,
        app: &str,
        signed: &Signed,
    ) -> Result<Option<Self>, NotOnce> {
        if signed.time().is_some() {
            return Ok(None);
        }
        let mark = Mark::new(app, "signature", &signed.signature);
        match store.begin(&mark, LEASE).await? {
            MarkState::Now => Ok(Some(Self { store: store.clone(), mark })),
            MarkState::Elsewhere | MarkState::Done(_) => Err(NotOnce::Replayed),
        }
    }

    /// Remembers whether the request was answered. If not, it may come again.
    pub(super) async fn end(self, answered: bool) {
        let ended = match answered {
            true => Ended::Done { answer: Vec::new(), keep: REMEMBERED },
            false => Ended::Failed,
        };
        if let Err(error) = self.store.end(&self.mark, ended).await {
            tracing::error!(%error, "store: a request without a time of signing may be answered again");
        }
    }
}
