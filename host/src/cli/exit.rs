//! Exit codes of commands, and the message that goes with a failure.

use std::process::ExitCode;

use crate::terminal;

/// The configuration or the command line is wrong.
pub(super) const EXIT_USAGE: u8 = 64;
/// A port, a tool or another resource of this machine is not available.
pub(super) const EXIT_UNAVAILABLE: u8 = 69;
/// Something has no permission; `EX_NOPERM`.
pub(super) const EXIT_NOT_GRANTED: u8 = 77;

/// Prints the reason to standard error and returns the exit code.
pub(super) fn fail(code: u8, reason: &str) -> ExitCode {
    terminal::notice!("aviary: {reason}");
    ExitCode::from(code)
}
