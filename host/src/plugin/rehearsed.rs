//! The result of a rehearsal: the journal's callbacks are replayed with a new version before it goes live.

use serde::Deserialize;
use serde::Serialize;

/// Counts of replayed callbacks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    /// Callbacks that were replayed.
    pub played: usize,
    /// Replayed callbacks that got another reply than before. Changed replies are the purpose of a new version.
    pub other_replies: usize,
    /// Callbacks that could not be replayed, or whose call needed an answer that is not in the record.
    pub skipped: usize,
}
