//! Link previews that came too late: kept for a moment, while the client is told to ask again.
//!
//! In memory only. A preview is asked for by every client that shows the link, so what a restart loses is asked for
//! again by itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::time::Instant;

use crate::callback::model::Callback;
use crate::callback::reply::Outgoing;
use crate::callback::reply::Reply;
use crate::dispatch::late::Late;
use crate::dispatch::made_by::MadeBy;
use crate::open_api::rate_limit::Rate;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::transport::preview_refresh;
use crate::telemetry::metrics;

/// How long a late preview answers for its plugin. Clients that were told to ask again do so at once; those that show
/// the link to somebody else later shall get something fresh.
const KEPT: Duration = Duration::from_secs(60);
/// Late previews held at once; the oldest go first.
const MAX_KEPT: usize = 1024;
/// Bytes of them. One of 30 KB is as large as they get.
const MAX_KEPT_BYTES: usize = 8 << 20;
/// The platform refreshes one preview once in five seconds.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);
/// Refreshes of one app, by the platform's documentation: 5 a second.
const REFRESH_RATE: Rate = Rate { in_a_second: 5, in_a_minute: 300 };
/// People that one refresh may name.
const MAX_VIEWERS: usize = 100;
/// Previews whose refresh waits. Those beyond stay as they are until a client asks by itself.
const MAX_WAITING: usize = 1024;
/// How often a refresh is tried.
const ATTEMPTS: u32 = 3;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// One preview as one person sees it. What a plugin showed to one person is not shown to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Viewer {
    shown: Shown,
    open_id: String,
    /// The person's own, where it differs from the one whose preview it is.
    operator_tenant: String,
}

/// A preview in a chat, and the tenant that the platform is asked for in its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shown {
    tenant: String,
    preview_token: String,
}

impl Viewer {
    /// None while the link is being typed, as there is no preview yet that could be refreshed, and where nobody knows who
    /// sees it.
    pub(super) fn of(callback: &Callback) -> Option<Self> {
        let (location, operator) = (callback.location()?, callback.operator()?);
        let preview_token = location.preview_token.clone().filter(|token| !token.is_empty())?;
        let open_id = Some(operator.open_id.clone()).filter(|open_id| !open_id.is_empty())?;
        let operator_tenant = callback.tenants().operator.to_owned();
        let shown = Shown { tenant: callback.tenant_key().to_owned(), preview_token };
        Some(Self { shown, open_id, operator_tenant })
    }
}

/// The late previews of one app.
#[derive(Debug)]
pub(super) struct Previews {
    kept: Mutex<Bounded<Viewer, KeptReply>>,
    /// Who still has to be told, by preview. A preview has an entry for as long as it must not be refreshed again.
    waiting: Mutex<HashMap<Shown, Vec<String>>>,
    rate: RateLimit,
}

#[derive(Debug)]
struct KeptReply {
    made_by: MadeBy,
    reply: Reply,
    until: Instant,
}

impl Default for Previews {
    fn default() -> Self {
        Self {
            kept: Mutex::new(Bounded::weighing(MAX_KEPT, MAX_KEPT_BYTES)),
            waiting: Mutex::default(),
            rate: RateLimit::new(REFRESH_RATE),
        }
    }
}

impl Previews {
    pub(super) fn keep(&self, viewer: Viewer, made_by: MadeBy, reply: Reply, now: Instant) {
        let bytes = size(&reply);
        let reply = KeptReply { made_by, reply, until: now + KEPT };
        let mut kept = self.kept.lock();
        kept.remove_oldest_while(|reply| reply.until <= now);
        kept.insert_weighing(viewer, reply, bytes);
    }

    /// By the same plugin as it was loaded then only: another, or a new version, shall have its say at once.
    pub(super) fn find(&self, viewer: &Viewer, made_by: &MadeBy, now: Instant) -> Option<Reply> {
        let mut kept = self.kept.lock();
        kept.remove_oldest_while(|reply| reply.until <= now);
        let found = kept.get(viewer)?;
        (found.made_by == *made_by).then(|| found.reply.clone())
    }
}

impl Late {
    /// Has that client ask again, as soon as the platform allows it.
    pub(super) async fn refresh(self: &Arc<Self>, viewer: Viewer) {
        {
            let mut waiting = self.previews.waiting.lock();
            let previews = waiting.len();
            match waiting.entry(viewer.shown.clone()) {
                // Whoever has begun takes this one along.
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

    /// Nobody left: the preview may be refreshed at any time again.
    fn next_viewers(&self, shown: &Shown) -> Vec<String> {
        let mut waiting = self.previews.waiting.lock();
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
            self.previews.rate.turn().await;
            let until = Instant::now() + ATTEMPT;
            let reason = match self.open_api.call(&request, tenant, until).await {
                Ok(response) if response.code() == Some(0) => {
                    tracing::info!(app = %self.app, viewers = viewers.len(), "link preview refreshed");
                    return metrics::record_preview_refresh("delivered");
                }
                Ok(response) => format!("HTTP {}, code {:?}", response.status, response.code()),
                Err(error) => error.to_string(),
            };
            tracing::warn!(app = %self.app, attempt, reason, "link preview not refreshed");
            tokio::select! {
                // Cancel safe: both only wait. A refused attempt may count, so the next one keeps the distance.
                () = tokio::time::sleep(REFRESH_INTERVAL) => {}
                () = self.shutdown.begun() => break,
            }
        }
        metrics::record_preview_refresh("failed");
    }
}

fn size(reply: &Reply) -> usize {
    match reply.outgoing() {
        Outgoing::Body { json, .. } => json.len(),
        Outgoing::Accepted | Outgoing::Redeliver => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::reply_check::card_as_preview;

    fn viewer(token: &str, open_id: &str) -> Viewer {
        viewer_of(token, open_id, "t")
    }

    fn viewer_of(token: &str, open_id: &str, operator_tenant: &str) -> Viewer {
        let shown = Shown { tenant: "t".to_owned(), preview_token: token.to_owned() };
        let (open_id, operator_tenant) = (open_id.to_owned(), operator_tenant.to_owned());
        Viewer { shown, open_id, operator_tenant }
    }

    fn keep(previews: &Previews, viewer: &Viewer, now: Instant) {
        previews.keep(viewer.clone(), MadeBy::nobody(), card_as_preview("{}"), now);
    }

    fn find(previews: &Previews, viewer: &Viewer, now: Instant) -> Option<Reply> {
        previews.find(viewer, &MadeBy::nobody(), now)
    }

    #[tokio::test]
    async fn a_late_preview_is_for_one_person_and_one_minute() {
        let previews = Previews::default();
        let now = Instant::now();
        let (ana, bo) = (viewer("t", "ana"), viewer("t", "bo"));
        keep(&previews, &ana, now);
        assert!(find(&previews, &ana, now).is_some());
        assert!(find(&previews, &ana, now).is_some(), "another device asks too");
        assert!(find(&previews, &viewer_of("t", "ana", "visitor"), now).is_none());
        assert!(find(&previews, &bo, now).is_none());
        assert!(find(&previews, &ana, now + KEPT).is_none());
        assert_eq!(previews.kept.lock().weight(), 0);
    }

    #[tokio::test]
    async fn a_newer_one_takes_the_place_and_the_oldest_go_first() {
        let previews = Previews::default();
        let now = Instant::now();
        let ana = viewer("t", "ana");
        keep(&previews, &ana, now);
        keep(&previews, &ana, now + KEPT / 2);
        assert!(find(&previews, &ana, now + KEPT).is_some());
        for number in 0..MAX_KEPT {
            keep(&previews, &viewer(&number.to_string(), "bo"), now + KEPT);
        }
        assert!(find(&previews, &ana, now + KEPT).is_none());
        assert_eq!(previews.kept.lock().len(), MAX_KEPT);
    }
}
