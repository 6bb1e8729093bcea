//! What a machine may do without, if somebody says so.

use std::io::Write as _;

/// Names what a machine does not have, separated by commas: `python,node`.
pub const SKIP: &str = "AVIARY_E2E_SKIP";

/// Whether this machine is excused from having that tool. Then what is left out is printed.
pub fn accepted(tool: &str, left_out: &str) -> bool {
    let accepted = std::env::var(SKIP).unwrap_or_default();
    let excused = accepted.split(',').any(|name| name.trim() == tool);
    if excused {
        skipped(&format!("by {SKIP}: {left_out}"));
    }
    excused
}

/// Says that something is left out, and why: a skipped test must not look like one that passed. The test runner hides what
/// macros print in a test that passes, so this goes to standard error itself; nothing is lost if that is closed.
pub fn skipped(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {reason}");
}
