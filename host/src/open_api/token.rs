//! Access tokens in memory: each is fetched once however many callers ask at a time, and renewed before it ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use lark_wire::secret::Secret;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use crate::open_api::request::ApiError;

/// A token is no longer used this long before it ends, so that no request is under way when it does. The official SDKs for Go,
/// Java and Node take the same 3 minutes.
const RENEW_EARLY: Duration = Duration::from_secs(180);
/// With this much lifetime left, a new token is fetched while the old one still serves, so that no caller waits. The platform
/// gives a new one from half an hour before the end.
const FETCH_AHEAD: Duration = Duration::from_secs(15 * 60);
/// Pause between two failed attempts to fetch ahead. `FETCH_AHEAD` leaves time for several.
const PAUSE_AHEAD: Duration = Duration::from_secs(30);
/// Limit of one fetch. A fetch goes on when the caller that started it has no time left, so that the next callers find the
/// token.
const FETCH: Duration = Duration::from_secs(15);
/// Most tokens in memory, one for each tenant that is busy at the same time. Beyond that one is dropped, and fetched again when
/// needed.
const MOST: usize = 10_000;

/// A token as the platform gave it.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    pub(super) token: Secret,
    /// Remaining lifetime, counted from now.
    pub(super) lifetime: Duration,
}

/// The tokens of one kind, by name.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<HashMap<String, Arc<TokenSlot>>>);

/// The token of one name, or the attempt to fetch it.
#[derive(Debug, Default)]
struct TokenSlot {
    state: Mutex<TokenState>,
    /// Locked during a fetch; holds the failure of the last fetch, if it failed.
    flight: Arc<tokio::sync::Mutex<Option<TokenFailure>>>,
}

#[derive(Debug, Default)]
struct TokenState {
    held: Option<Held>,
    /// The token that the platform called stale, so that it is not taken from the store again.
    refused: Option<Secret>,
}

#[derive(Clone, Debug)]
struct Held {
    token: Secret,
    ahead_at: Instant,
    renew_at: Instant,
}

#[derive(Debug)]
struct TokenFailure {
    at: Instant,
    error: ApiError,
}

impl TokenCache {
    /// Returns the token of that name, fetched by `fetch` if there is no valid one. `fetch` receives the token that the
    /// platform has refused, if any.
    pub(super) async fn get<F>(
        &self,
        name: &str,
        fetch: impl FnOnce(Option<Secret>) -> F,
    ) -> Result<Secret, ApiError>
    where
        F: Future<Output = Result<Fresh, ApiError>> + Send + 'static,
    {
        let asked = Instant::now();
        let slot = self.slot(name);
        if let Some(held) = slot.good(asked) {
            if held.ahead_at <= asked
                && let Ok(flight) = Arc::clone(&slot.flight).try_lock_owned()
                && flight.as_ref().is_none_or(|failure| failure.at + PAUSE_AHEAD <= asked)
            {
                let refused = slot.state.lock().refused.clone();
                tokio::spawn(slot.fly(flight, fetch(refused)));
            }
            return Ok(held.token);
        }
        let flight = Arc::clone(&slot.flight).lock_owned().await;
        if let Some(held) = slot.good(Instant::now()) {
            return Ok(held.token);
        }
        // A caller that asked before the fetch failed was waiting for this very result.
        if let Some(failure) = flight.as_ref()
            && failure.at >= asked
        {
            return Err(failure.error.clone());
        }
        let refused = slot.state.lock().refused.clone();
        let landed = tokio::spawn(slot.fly(flight, fetch(refused))).await;
        landed.unwrap_or_else(|_stopping| Err(ApiError::Deadline))
    }

    /// Forgets `stale`, which the platform refused, unless another token has replaced it meanwhile.
    pub(super) fn evict(&self, name: &str, stale: &Secret) {
        let slot = self.slot(name);
        let mut state = slot.state.lock();
        if state.held.as_ref().is_some_and(|held| held.token.expose() == stale.expose()) {
            state.held = None;
            state.refused = Some(stale.clone());
        }
    }

    /// Forgets the token of that name, whichever it is.
    pub(super) fn evict_any(&self, name: &str) {
        let slot = self.slot(name);
        let mut state = slot.state.lock();
        if let Some(held) = state.held.take() {
            state.refused = Some(held.token);
        }
    }

    fn slot(&self, name: &str) -> Arc<TokenSlot> {
        let mut slots = self.0.lock();
        if let Some(slot) = slots.get(name) {
            return Arc::clone(slot);
        }
        if slots.len() >= MOST {
            let now = Instant::now();
            // A slot with more than one reference has a caller waiting for its fetch.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.good(now).is_some());
            let idle = slots.iter().find(|(_, slot)| Arc::strong_count(slot) == 1);
            if slots.len() >= MOST
                && let Some(name) = idle.map(|(name, _)| name.clone())
            {
                slots.remove(&name);
            }
        }
        Arc::clone(slots.entry(name.to_owned()).or_default())
    }
}

impl TokenSlot {
    fn good(&self, now: Instant) -> Option<Held> {
        self.state.lock().held.clone().filter(|held| now < held.renew_at)
    }

    async fn fly(
        self: Arc<Self>,
        mut flight: OwnedMutexGuard<Option<TokenFailure>>,
        fetching: impl Future<Output = Result<Fresh, ApiError>>,
    ) -> Result<Secret, ApiError> {
        let fetched = tokio::time::timeout(FETCH, fetching).await;
        match fetched.unwrap_or(Err(ApiError::Deadline)) {
            Ok(Fresh { token, lifetime }) => {
                // A token with a shorter lifetime than usual is used for at least half of it.
                let ends = Instant::now() + lifetime;
                let renew_at = ends - RENEW_EARLY.min(lifetime / 2);
                let ahead_at = ends - FETCH_AHEAD.min(lifetime);
                self.state.lock().held = Some(Held { token: token.clone(), ahead_at, renew_at });
                *flight = None;
                Ok(token)
            }
            Err(error) => {
                *flight = Some(TokenFailure { at: Instant::now(), error: error.clone() });
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    const HOURS: Duration = Duration::from_secs(7200);

    /// Gives out `t1`, `t2`, … to whoever fetches.
    #[derive(Clone, Default)]
    struct Mint(Arc<AtomicU32>);

    impl Mint {
        fn count(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }

        async fn coin(self, lifetime: Duration) -> Result<Fresh, ApiError> {
            let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::task::yield_now().await;
            Ok(Fresh { token: Secret::new(format!("t{number}")), lifetime })
        }

        async fn get(&self, cache: &TokenCache, lifetime: Duration) -> String {
            let token = cache.get("a", |_| self.clone().coin(lifetime)).await;
            token.unwrap().expose().to_owned()
        }
    }

    #[tokio::test]
    async fn however_many_ask_it_is_fetched_once_for_each_name() {
        let (cache, mint) = (TokenCache::default(), Mint::default());
        let all = join_all((0..50).map(|_| mint.get(&cache, HOURS))).await;
        assert!(all.iter().all(|token| token == "t1"), "{all:?}");
        let other = cache.get("b", |_| mint.clone().coin(HOURS)).await.unwrap();
        assert_eq!((other.expose(), mint.count()), ("t2", 2));
    }

    #[tokio::test]
    async fn a_fetch_goes_on_without_whoever_began_it() {
        let (cache, go) = (Arc::new(TokenCache::default()), Arc::new(Notify::new()));
        let (began, gate) = (Arc::new(Notify::new()), Arc::clone(&go));
        let first = {
            let (cache, began) = (Arc::clone(&cache), Arc::clone(&began));
            tokio::spawn(async move {
                let fetch = |_| async move {
                    began.notify_one();
                    gate.notified().await;
                    Mint::default().coin(HOURS).await
                };
                cache.get("a", fetch).await
            })
        };
        began.notified().await;
        first.abort();
        assert!(first.await.is_err());
        go.notify_one();
        let fetched = cache.get("a", |_| async { Err(ApiError::TooLarge) }).await;
        assert_eq!(fetched.unwrap().expose(), "t1");
    }

    #[tokio::test]
    async fn those_who_wait_share_a_failure_and_the_next_tries_again() {
        let (cache, tried) = (TokenCache::default(), Arc::new(AtomicU32::new(0)));
        let failing = |_| {
            let tried = Arc::clone(&tried);
            async move {
                tried.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Err(ApiError::TooLarge)
            }
        };
        let all = join_all((0..50).map(|_| cache.get("a", failing))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(tried.load(Ordering::Relaxed), 1);
        assert_eq!(Mint::default().get(&cache, HOURS).await, "t1");
    }

    #[tokio::test]
    async fn one_that_ages_serves_while_the_next_is_fetched() {
        let (cache, mint) = (TokenCache::default(), Mint::default());
        assert_eq!(mint.get(&cache, FETCH_AHEAD - RENEW_EARLY).await, "t1");
        assert_eq!(mint.get(&cache, HOURS).await, "t1", "nobody waits");
        while mint.get(&cache, HOURS).await == "t1" {
            tokio::task::yield_now().await;
        }
        assert_eq!(mint.get(&cache, HOURS).await, "t2");
        assert_eq!(mint.count(), 2);
    }

    #[tokio::test]
    async fn only_what_was_refused_is_evicted_and_the_fetch_is_told() {
        let (cache, mint) = (TokenCache::default(), Mint::default());
        assert_eq!(mint.get(&cache, HOURS).await, "t1");
        cache.evict("a", &Secret::new("t0"));
        assert_eq!(mint.get(&cache, HOURS).await, "t1");
        cache.evict("a", &Secret::new("t1"));
        let mut refused = None;
        let fetch = |told: Option<Secret>| {
            refused = told;
            mint.clone().coin(HOURS)
        };
        assert_eq!(cache.get("a", fetch).await.unwrap().expose(), "t2");
        assert_eq!(refused.unwrap().expose(), "t1");
    }

    #[tokio::test]
    async fn there_are_never_more_than_fit() {
        let (cache, mint) = (TokenCache::default(), Mint::default());
        for number in 0..MOST + 10 {
            cache.get(&number.to_string(), |_| mint.clone().coin(HOURS)).await.unwrap();
        }
        assert_eq!(cache.0.lock().len(), MOST);
    }
}
