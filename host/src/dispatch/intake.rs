//! Takes events into the inbox instead of handling them while the platform waits.

use crate::callback::fallback::Reason;
use crate::callback::reply::Reply;
use crate::dispatch::Arrived;
use crate::dispatch::Dispatcher;
use crate::dispatch::gate::EVENTS_REMEMBERED;
use crate::dispatch::gate::event_marks;
use crate::dispatch::gate::not_too_old;
use crate::dispatch::route::Picked;
use crate::inbox::entry;
use crate::plugin::config::work::Acknowledge;
use crate::plugin::decision::Decision;
use crate::record::Outcome;
use crate::runtime::call::report::Handler;
use crate::store::inbox::Put;
use crate::store::inbox::Whose;
use crate::telemetry::metrics;

/// What became of a callback at the inbox.
pub(super) enum Intake {
    /// It is not an event, or its plugin handles it while the platform waits.
    NotForInbox,
    /// It is stored, and may be acknowledged.
    Stored,
    /// It is not stored; this is its answer.
    Decided(Decision),
}

impl Dispatcher {
    /// Stores an event, or what may be one. An event that cannot be stored is not acknowledged, so that the platform sends it
    /// again.
    pub(super) async fn take_in(&self, picked: Picked<'_>, arrived: &Arrived) -> Intake {
        let Arrived { callback, door, deadline, .. } = arrived;
        let plugin = picked.plugin;
        let is_answered = picked.handler == Handler::Json
            && entry::may_want_an_answer(&callback.header.event_type);
        if is_answered || plugin.policy().acknowledge == Acknowledge::WhenDone {
            return Intake::NotForInbox;
        }
        if let Err(decision) = not_too_old(plugin, callback) {
            return Intake::Decided(decision);
        }
        let refused = |reason: String| {
            Intake::Decided(Decision::by_host(callback, Reason::Busy, Some(reason)))
        };
        let marks = event_marks(&self.app, callback);
        let entry = entry::of_event(&self.app, plugin, callback, *door, marks, EVENTS_REMEMBERED);
        let put = self.inbox.put(entry, &plugin.policy().work);
        match tokio::time::timeout_at(deadline.soft(), put).await {
            Ok(Ok(Put::Stored)) => {
                metrics::record_inbox_stored(&self.app, &plugin.id().name, deadline.elapsed());
                Intake::Stored
            }
            Ok(Ok(Put::Repeated)) => {
                let (reply, outcome) = (Reply::accepted(), Outcome::Repeated);
                Intake::Decided(Decision::new(reply, outcome, None))
            }
            Ok(Ok(Put::Full(Whose::Plugin))) => refused(
                "the plugin's share of the inbox is full (work.entries, work.bytes): see `aviary inbox`"
                    .to_owned(),
            ),
            Ok(Ok(Put::Full(Whose::App))) => refused(
                "the app's inbox is full (inbox.entries, inbox.bytes): see `aviary inbox`".to_owned(),
            ),
            Ok(Err(error)) => {
                metrics::record_store_failure();
                refused(error.to_string())
            }
            Err(_elapsed) => refused("the store did not take the event in time".to_owned()),
        }
    }
}
