//! Tools that a machine may lack, if an environment variable says so.

use std::io::Write as _;

/// Variable that lists the tools a machine lacks, separated by commas: `python,node`.
pub const SKIP: &str = "AVIARY_E2E_SKIP";

/// Returns true if this machine is excused from having that tool, and prints what is left out.
pub fn accepted(tool: &str, left_out: &str) -> bool {
    let accepted = std::env::var(SKIP).unwrap_or_default();
    let excused = accepted.split(',').any(|name| name.trim() == tool);
    if excused {
        skipped(&format!("by {SKIP}: {left_out}"));
    }
    excused
}

/// Prints that something is left out, and why: a skipped test must not look like one that passed. The test runner hides what
/// macros print in a test that passes, so this writes to standard error itself; nothing is lost if that is closed.
pub fn skipped(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {reason}");
}
