//! Caching of a plugin's link previews.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// `[previews]` of a sidecar file.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewsConfig {
    /// A preview is served to everybody of its tenant for this long. Without it, previews are not cached.
    fresh_secs: Option<NonZeroU32>,
    /// A preview is still served for this long while a new one is made, counted from when it was made.
    stale_secs: u32,
}

/// The times for which previews are cached, counted from when they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepPreviews {
    /// The preview is served as it is.
    pub fresh: Duration,
    /// The preview is served while a new one is made.
    pub stale: Duration,
}

impl PreviewsConfig {
    /// Returns how long previews are cached; `None` if they are not.
    pub fn keep(&self) -> Option<KeepPreviews> {
        let fresh = Duration::from_secs(u64::from(self.fresh_secs?.get()));
        Some(KeepPreviews { fresh, stale: Duration::from_secs(u64::from(self.stale_secs)) })
    }
}
