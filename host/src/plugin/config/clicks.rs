//! When two clicks are the same click.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// `[clicks]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClicksConfig {
    /// The same click again within so many milliseconds gets the first one's answer. Not unless it is said: to some
    /// plugins two clicks are two.
    repeat_window_ms: Option<NonZeroU32>,
}

impl ClicksConfig {
    /// How long a click stays the same.
    pub fn repeat_window(&self) -> Option<Duration> {
        self.repeat_window_ms.map(|ms| Duration::from_millis(u64::from(ms.get())))
    }
}
