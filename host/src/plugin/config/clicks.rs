//! The treatment of repeated clicks.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// `[clicks]` of a sidecar file.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClicksConfig {
    /// The same click again within so many milliseconds gets the first one's answer. Off by default: to some plugins two
    /// clicks are two.
    repeat_window_ms: Option<NonZeroU32>,
}

impl ClicksConfig {
    /// Returns the time within which an equal click is a repetition; `None` if every click counts.
    pub fn repeat_window(&self) -> Option<Duration> {
        self.repeat_window_ms.map(|ms| Duration::from_millis(u64::from(ms.get())))
    }
}
