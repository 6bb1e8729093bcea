//! Marks for work that must happen once.
//!
//! A mark is made when the work begins, and kept for a while after it has been done, with the answer that was given.

use std::time::Duration;

/// Name of a piece of work that must happen once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(String);

impl Mark {
    /// Names the work of an app. `what` is its kind, `name` identifies it among its kind.
    pub fn new(app: &str, what: &str, name: &str) -> Self {
        Self(format!("{app}/{what}/{name}"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The result of an attempt to begin a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkState {
    /// The mark was free; the caller has begun it now.
    Now,
    /// Another host has begun it.
    Elsewhere,
    /// The work was done, with this answer.
    Done(Vec<u8>),
}

/// The end of work that a mark stands for.
#[derive(Clone, Debug)]
pub enum Ended {
    /// The work was done.
    Done {
        /// The answer that was given.
        answer: Vec<u8>,
        /// Time for which the answer is remembered.
        keep: Duration,
    },
    /// The work was not done, and may begin again.
    Failed,
}
