//! The app's tenant access token: fetched once however many ask at a time, and renewed before it ends.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::secret::Secret;

/// A token is no longer used this long before it ends, so that no request is under way when it does. The official
/// SDKs for Go, Java and Node take the same 3 minutes.
const RENEW_EARLY: Duration = Duration::from_secs(180);

/// One token and when it must be renewed.
#[derive(Clone, Debug)]
struct Held {
    token: Secret,
    renew_at: Instant,
}

/// Holds the token. The lock is held across the request on purpose: whoever else asks waits for that one answer.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<Option<Held>>);

impl TokenCache {
    /// The token, fetched by `fetch` (which says how long it lives) if there is none that is good.
    pub(super) async fn get<F, E>(&self, fetch: F) -> Result<Secret, E>
    where
        F: Future<Output = Result<(Secret, Duration), E>>,
    {
        let mut held = self.0.lock().await;
        if let Some(held) = held.as_ref()
            && Instant::now() < held.renew_at
        {
            return Ok(held.token.clone());
        }
        let (token, lifetime) = fetch.await?;
        let renew_at = Instant::now() + lifetime.saturating_sub(RENEW_EARLY);
        *held = Some(Held { token: token.clone(), renew_at });
        Ok(token)
    }

    /// Forgets `stale`, which the platform refused, unless another has taken its place meanwhile.
    pub(super) async fn evict(&self, stale: &Secret) {
        let mut held = self.0.lock().await;
        if held.as_ref().is_some_and(|held| held.token.expose() == stale.expose()) {
            *held = None;
        }
    }
}
