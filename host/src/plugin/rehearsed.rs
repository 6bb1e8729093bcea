//! What the journal has shown of a new version before it went live.

use serde::Deserialize;
use serde::Serialize;

/// What a version has shown.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    /// Callbacks that were played to it.
    pub played: usize,
    /// Of those, which got another reply than before. That is what new versions are for.
    pub other_replies: usize,
    /// That could not be played, or depended on an answer that nobody had asked for.
    pub skipped: usize,
}
