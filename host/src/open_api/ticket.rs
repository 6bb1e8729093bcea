//! A store app's ticket: the platform sends it once an hour as an event, and again on request.
//!
//! No plugin sees it. The store keeps it, so that a host that starts has the last ticket, and hosts that share a store have the
//! ticket that one of them received.

use std::time::Duration;

use lark_wire::secret::Secret;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::open_api::request::ApiError;
use crate::open_api::vault::StoredCredential;
use crate::open_api::vault::Vault;

/// The name of the ticket in the vault.
const NAME: &str = "app-ticket";
/// Longest wait for a ticket after asking for one. The platform sends it within a second or two.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time the store has to keep a ticket before it is used all the same. The event has to be acknowledged within three seconds.
const KEEPING: Duration = Duration::from_secs(1);
/// Interval between two reads of a shared store while waiting: the platform sends the ticket to one of several hosts.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The app ticket, once one has arrived.
#[derive(Debug)]
pub(super) struct AppTicket {
    current: watch::Sender<Option<Secret>>,
    vault: Option<Vault>,
}

impl AppTicket {
    pub(super) fn new(vault: Option<Vault>) -> Self {
        Self { current: watch::Sender::new(None), vault }
    }

    /// Accepts a ticket from the platform. The ticket is stored before it is used, so that a host that has used it finds it
    /// again after a restart.
    pub(super) async fn take(&self, ticket: Secret) {
        if let Some(vault) = &self.vault {
            // A ticket is valid until the platform says otherwise.
            let kept = StoredCredential { secret: ticket.clone(), until_ms: u64::MAX };
            if tokio::time::timeout(KEEPING, vault.save(NAME, &kept)).await.is_err() {
                tracing::warn!("the store is slow: a restart now would lose the app ticket");
            }
        }
        self.current.send_replace(Some(ticket));
    }

    /// Returns a ticket that is not `refused`. If there is none, asks the platform with `ask` and waits for it to arrive.
    pub(super) async fn get(
        &self,
        refused: Option<&Secret>,
        ask: impl Future<Output = Result<(), ApiError>>,
    ) -> Result<Secret, ApiError> {
        let mut current = self.current.subscribe();
        if let Some(ticket) = self.at_hand(refused).await {
            return Ok(ticket);
        }
        ask.await?;
        let until = Instant::now() + PATIENCE;
        let others_may_have_it = self.vault.as_ref().is_some_and(Vault::is_shared);
        while Instant::now() < until {
            let next = if others_may_have_it { Instant::now() + LOOK_AGAIN } else { until };
            tokio::select! {
                // Cancel safe: both only wait. This cache holds the sender, so it does not end.
                _ = current.changed() => {}
                () = tokio::time::sleep_until(next.min(until)) => {}
            }
            if let Some(ticket) = self.at_hand(refused).await {
                return Ok(ticket);
            }
        }
        Err(ApiError::NoTicket)
    }

    async fn at_hand(&self, refused: Option<&Secret>) -> Option<Secret> {
        let fits = |ticket: &Secret| refused.is_none_or(|old| old.expose() != ticket.expose());
        let held = self.current.borrow().clone().filter(fits);
        if held.is_some() {
            return held;
        }
        let kept = self.vault.as_ref()?.load(NAME).await?.secret;
        fits(&kept).then(|| {
            self.current.send_replace(Some(kept.clone()));
            kept
        })
    }
}
