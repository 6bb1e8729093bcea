//! Events that no plugin takes. An app may subscribe to many of them, so that each type is named once and counted afterwards.

use std::sync::Arc;

use aviary_state::Bounded;
use aviary_state::Mutex;

use crate::record::CallbackRecord;
use crate::record::Outcome;
use crate::telemetry::metrics::known_type;

/// Types that are remembered to have been named: more than the platform has.
const MOST_TYPES: usize = 1024;

/// An app and a type of its events.
type UnclaimedKind = (Arc<str>, String);

/// The types that were named.
#[derive(Clone, Debug)]
pub(super) struct Unclaimed(Arc<Mutex<Bounded<UnclaimedKind, ()>>>);

impl Default for Unclaimed {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Bounded::new(MOST_TYPES))))
    }
}

impl Unclaimed {
    /// Tells whether the record is of an event that no plugin takes.
    pub(super) fn is(record: &CallbackRecord) -> bool {
        record.outcome == Outcome::NoHandler && known_type(&record.event_type) == "event"
    }

    /// Names the event's type, unless that was done.
    pub(super) fn note(&self, record: &CallbackRecord) {
        let key = (Arc::clone(&record.app), record.event_type.clone());
        let mut named = self.0.lock();
        if named.contains(&key) {
            return;
        }
        named.insert(key, ());
        drop(named);
        tracing::warn!(
            app = &*record.app,
            r#type = record.event_type,
            "no plugin takes events of this type: they are acknowledged and counted as no_handler; add a plugin or a route, or unsubscribe from them in the console"
        );
    }
}
