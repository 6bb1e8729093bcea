//! The result of one check: what was found, why that matters, and what to do.

use serde::Serialize;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The subject is as it should be.
    Fine,
    /// It works; the finding is good to know.
    Note,
    /// It works, but may not for long or not for everybody.
    Warning,
    /// It does not work.
    Fault,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Severity of the finding.
    pub level: Level,
    /// Subject of the check: a file, an app, a port.
    pub about: String,
    /// State of the subject.
    pub what: String,
    /// Reason why that matters; empty if all is well.
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
