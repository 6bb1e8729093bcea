//! What shall happen once: who has begun it, and what came of it.
//!
//! A mark is made when something begins, and kept for a while when it has been done, with the answer that was given.

use std::time::Duration;

/// The name of something that shall happen once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(String);

impl Mark {
    /// Of that app. `what` says what kind of thing it is, `name` which one.
    pub fn new(app: &str, what: &str, name: &str) -> Self {
        Self(format!("{app}/{what}/{name}"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it begins now.
    Now,
    /// Another host is at it.
    Elsewhere,
    /// It was done, with this answer.
    Done(Vec<u8>),
}

/// How it ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was done.
    Done {
        /// What was said.
        answer: Vec<u8>,
        /// How long that is remembered.
        keep: Duration,
    },
    /// It was not, and may begin again.
    Failed,
}
