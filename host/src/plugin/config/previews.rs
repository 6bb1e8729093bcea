//! How long the link previews of a plugin are kept.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// `[previews]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewsConfig {
    /// So long a preview is good for everybody of its tenant. They are not kept unless this is there.
    fresh_secs: Option<NonZeroU32>,
    /// So long it serves while another one is made, counted from when it was made.
    stale_secs: u32,
}

/// How long a plugin's previews are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepPreviews {
    /// As they are.
    pub fresh: Duration,
    /// Until another one is made.
    pub stale: Duration,
}

impl PreviewsConfig {
    /// How long they are kept, if they are.
    pub fn keep(&self) -> Option<KeepPreviews> {
        let fresh = Duration::from_secs(u64::from(self.fresh_secs?.get()));
        Some(KeepPreviews { fresh, stale: Duration::from_secs(u64::from(self.stale_secs)) })
    }
}
