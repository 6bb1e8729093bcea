//! `[inbox]` of the configuration: the room for entries.

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;
use crate::store::inbox::Room;

/// `[inbox]` of the configuration file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InboxConfig {
    /// Entries of one app, 1 to 10000000. Beyond that an event is not acknowledged, so that the platform sends it again. A
    /// plugin may have half of them, unless its sidecar file says otherwise.
    entries: u64,
    /// Bytes of those entries, 65536 or more.
    bytes: u64,
}

/// A file store keeps some hundred bytes of each entry in memory.
const MOST_ENTRIES: u64 = 10_000_000;
/// Half of it takes any message.
const LEAST_BYTES: u64 = 64 << 10;

impl Default for InboxConfig {
    fn default() -> Self {
        Self { entries: 100_000, bytes: 256 << 20 }
    }
}

impl InboxConfig {
    /// Checks that the numbers are in range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("inbox");
        section.in_range("entries", self.entries, 1..=MOST_ENTRIES)?;
        section.at_least("bytes", self.bytes, LEAST_BYTES)
    }

    pub(super) fn room(self) -> Room {
        Room { entries: self.entries, bytes: self.bytes }
    }
}
