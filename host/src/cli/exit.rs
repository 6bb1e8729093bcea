//! How a command ends: its exit code, and the words for it.

use std::process::ExitCode;

use crate::terminal;

/// The configuration or the command line is wrong.
pub(super) const EXIT_USAGE: u8 = 64;
/// A resource of this machine cannot be had.
pub(super) const EXIT_UNAVAILABLE: u8 = 69;
/// Something has no permission; `EX_NOPERM`.
pub(super) const EXIT_NOT_GRANTED: u8 = 77;

/// Says why, and ends the command with that code.
pub(super) fn fail(code: u8, reason: &str) -> ExitCode {
    terminal::notice!("aviary: {reason}");
    ExitCode::from(code)
}
