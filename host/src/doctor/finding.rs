//! One thing that was looked at: what it is like, why that matters, and what to do.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Fine,
    /// Good to know.
    Note,
    /// It works, and may not for long or not for everybody.
    Warning,
    /// It does not work.
    Fault,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at: a file, an app, a port.
    pub about: String,
    /// What it is like.
    pub what: String,
    /// Why that matters; empty if all is well.
    pub why: String,
    /// The next step; empty if all is well.
    pub next: String,
}

impl Finding {
    pub(super) fn fine(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Fine, about.into(), what.into(), "", "")
    }

    pub(super) fn note(
        about: impl Into<String>,
        what: impl Into<String>,
        why: &str,
        next: &str,
    ) -> Self {
        Self::new(Level::Note, about.into(), what.into(), why, next)
    }

    pub(super) fn warning(
        about: impl Into<String>,
        what: impl Into<String>,
        why: &str,
        next: &str,
    ) -> Self {
        Self::new(Level::Warning, about.into(), what.into(), why, next)
    }

    pub(super) fn fault(
        about: impl Into<String>,
        what: impl Into<String>,
        why: &str,
        next: &str,
    ) -> Self {
        Self::new(Level::Fault, about.into(), what.into(), why, next)
    }

    fn new(level: Level, about: String, what: String, why: &str, next: &str) -> Self {
        Self { level, about, what, why: why.to_owned(), next: next.to_owned() }
    }
}
