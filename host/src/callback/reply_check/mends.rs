//! What was mended in a reply: parts whose form the platform would refuse, and whose meaning is certain.

use std::fmt;

use lark_card::fault::At;
use lark_card::fault::Faults;

/// The mended places of a reply, in words for its author. Unlike a fault, none of them costs the user anything.
#[derive(Debug, Default)]
pub struct Mends(Vec<String>);

/// What is said of a reply: the rules that its dropped parts broke, and what was mended.
#[derive(Debug, Default)]
pub struct Notes {
    /// The rules that the dropped parts broke.
    pub faults: Faults,
    /// What was mended.
    pub mends: Mends,
}

impl Mends {
    pub(super) fn push(&mut self, at: &At<'_>, words: impl fmt::Display) {
        let path = at.to_string();
        let path = if path.is_empty() { "/" } else { &path };
        self.0.push(format!("{path}: {words}"));
    }
}

impl Notes {
    /// Returns the words for the log; `None` if there is nothing to say.
    pub fn words(&self) -> Option<String> {
        let faults = (!self.faults.is_empty()).then(|| self.faults.to_string());
        let mends = self.mends.0.join("; ");
        let mends = (!mends.is_empty()).then(|| format!("mended: {mends}"));
        let both: Vec<_> = faults.into_iter().chain(mends).collect();
        (!both.is_empty()).then(|| both.join("; "))
    }
}
