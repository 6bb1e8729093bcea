//! Keeps link previews that came too late for a moment, while the client is told to ask again.
//!
//! They are in memory only. Every client that shows the link asks for the preview, so one that a restart loses is asked for
//! again.

use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::time::Instant;

use crate::callback::model::Callback;
use crate::callback::reply::Outgoing;
use crate::callback::reply::Reply;
use crate::dispatch::made_by::MadeBy;

/// The time for which a late preview answers for its plugin. Clients that were told to ask again do so at once; those that show
/// the link to somebody else later should get a fresh one.
const KEPT: Duration = Duration::from_secs(60);
/// The most late previews that are kept; the oldest make room.
const MAX_KEPT: usize = 1024;
/// Memory budget of late previews, in bytes. One has at most 30 KB.
const MAX_KEPT_BYTES: usize = 8 << 20;
/// The key of a preview as one person sees it. A preview for one person is not shown to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Viewer {
    pub(super) shown: Shown,
    pub(super) open_id: String,
    /// Key of the operator's tenant, which may differ from the tenant of the preview.
    operator_tenant: String,
}

/// A preview in a chat, and the tenant in whose name the platform is asked to refresh it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shown {
    pub(super) tenant: String,
    pub(super) preview_token: String,
}

impl Viewer {
    /// Returns the viewer of a callback. `None` while the link is being typed, as there is no preview yet that could be
    /// refreshed, and if the person is unknown.
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
pub(super) struct Previews(Mutex<Bounded<Viewer, KeptReply>>);

#[derive(Debug)]
struct KeptReply {
    made_by: MadeBy,
    reply: Reply,
    until: Instant,
}

impl Default for Previews {
    fn default() -> Self {
        Self(Mutex::new(Bounded::weighing(MAX_KEPT, MAX_KEPT_BYTES)))
    }
}

impl Previews {
    pub(super) fn keep(&self, viewer: Viewer, made_by: MadeBy, reply: Reply, now: Instant) {
        let bytes = size(&reply);
        let reply = KeptReply { made_by, reply, until: now + KEPT };
        let mut kept = self.0.lock();
        kept.remove_oldest_while(|reply| reply.until <= now);
        kept.insert_weighing(viewer, reply, bytes);
    }

    /// Finds a late preview that the same loaded plugin made: another plugin, or a new version, is called instead.
    pub(super) fn find(&self, viewer: &Viewer, made_by: &MadeBy, now: Instant) -> Option<Reply> {
        let mut kept = self.0.lock();
        kept.remove_oldest_while(|reply| reply.until <= now);
        let found = kept.get(viewer)?;
        (found.made_by == *made_by).then(|| found.reply.clone())
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
        assert_eq!(previews.0.lock().weight(), 0);
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
        assert_eq!(previews.0.lock().len(), MAX_KEPT);
    }
}
