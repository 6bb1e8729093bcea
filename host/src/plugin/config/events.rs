//! The age limit of events.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// `[events]` of a sidecar file.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// Events older than this are acknowledged and not handled. The platform repeats an unacknowledged event for seven hours.
    max_age_secs: Option<NonZeroU32>,
}

impl EventsConfig {
    /// Returns the greatest age of an event that the plugin handles; `None` if there is no limit.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age_secs.map(|secs| Duration::from_secs(u64::from(secs.get())))
    }
}
