//! Which events a plugin wants.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// `[events]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// Older ones are acknowledged and not handled. The platform sends one again for seven hours.
    max_age_secs: Option<NonZeroU32>,
}

impl EventsConfig {
    /// The oldest event that it wants.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age_secs.map(|secs| Duration::from_secs(u64::from(secs.get())))
    }
}
