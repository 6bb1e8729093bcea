//! Tells clients to ask for a link preview again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::time::Instant;

use crate::dispatch::late::preview::Shown;
use crate::dispatch::late::preview::Viewer;
use crate::open_api::rate_limit::Rate;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::transport::OpenApi;
use crate::open_api::transport::preview_refresh;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics;

/// The platform refreshes one preview at most once in five seconds.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);
/// The platform's documented rate of refreshes for one app: 5 a second.
const REFRESH_RATE: Rate = Rate { in_a_second: 5, in_a_minute: 300 };
/// The most people that one refresh may name.
const MAX_VIEWERS: usize = 100;
/// The most previews whose refresh waits. Further ones stay as they are until a client asks by itself.
const MAX_WAITING: usize = 1024;
/// The number of attempts for one refresh.
const ATTEMPTS: u32 = 3;
/// Time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Sends the refreshes of one app.
#[derive(Debug)]
pub(super) struct Refreshes {
    app: Arc<str>,
    open_api: Arc<OpenApi>,
    shutdown: Shutdown,
    /// The people to tell, by preview. A preview has an entry for as long as it must not be refreshed again.
    waiting: Mutex<HashMap<Shown, Vec<String>>>,
    rate: RateLimit,
}

impl Refreshes {
    /// Starts with no waiting refreshes.
    pub(super) fn new(app: Arc<str>, open_api: Arc<OpenApi>, shutdown: Shutdown) -> Self {
        let rate = RateLimit::new(REFRESH_RATE);
        Self { app, open_api, shutdown, waiting: Mutex::default(), rate }
    }

    /// Tells that viewer's client to ask again, as soon as the platform allows it.
    pub(super) async fn refresh(&self, viewer: Viewer) {
        {
            let mut waiting = self.waiting.lock();
            let previews = waiting.len();
            match waiting.entry(viewer.shown.clone()) {
                // The task that already refreshes this preview tells this viewer too.
                Entry::Occupied(mut begun) => {
                    if begun.get().len() < MAX_WAITING && !begun.get().contains(&viewer.open_id) {
                        begun.get_mut().push(viewer.open_id);
                    }
                    return;
                }
                Entry::Vacant(_) if previews >= MAX_WAITING => {
                    return metrics::record_preview_refresh("no_room");
                }
                Entry::Vacant(free) => drop(free.insert(vec![viewer.open_id])),
            }
        }
        loop {
            let viewers = self.next_viewers(&viewer.shown);
            if viewers.is_empty() {
                return;
            }
            self.send_refresh(&viewer.shown, &viewers).await;
            tokio::select! {
                // Cancel safe: both only wait.
                () = tokio::time::sleep(REFRESH_INTERVAL) => {}
                () = self.shutdown.begun() => return,
            }
        }
    }

    /// Takes the next viewers to tell. An empty result removes the entry: the preview may be refreshed at any time again.
    fn next_viewers(&self, shown: &Shown) -> Vec<String> {
        let mut waiting = self.waiting.lock();
        let Some(viewers) = waiting.get_mut(shown) else { return Vec::new() };
        let next: Vec<_> = viewers.drain(..viewers.len().min(MAX_VIEWERS)).collect();
        if next.is_empty() {
            waiting.remove(shown);
        }
        next
    }

    async fn send_refresh(&self, shown: &Shown, viewers: &[String]) {
        let Shown { tenant, preview_token } = shown;
        let request = preview_refresh(preview_token, viewers);
        for attempt in 1..=ATTEMPTS {
            self.rate.turn().await;
            let until = Instant::now() + ATTEMPT;
            let reason = match self.open_api.call(&request, tenant, until).await {
                Ok(response) if response.code() == Some(0) => {
                    tracing::info!(app = %self.app, viewers = viewers.len(), "link preview: refreshed");
                    return metrics::record_preview_refresh("delivered");
                }
                Ok(response) => format!("HTTP {}, code {:?}", response.status, response.code()),
                Err(error) => error.to_string(),
            };
            tracing::warn!(app = %self.app, attempt, reason, "link preview: not refreshed");
            tokio::select! {
                // Cancel safe: both only wait. A refused attempt may count, so the next one keeps the distance.
                () = tokio::time::sleep(REFRESH_INTERVAL) => {}
                () = self.shutdown.begun() => break,
            }
        }
        metrics::record_preview_refresh("failed");
    }
}
