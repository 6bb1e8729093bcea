//! Writing to the host's log. The host adds the plugin, the callback's id and the time, drops what
//! its level filters out, and cuts lines that are too long.
//!
//! ```
//! use aviary_sdk::log;
//!
//! log::info("started");
//! log::warn(format_args!("no budget for {}", "R&D"));
//! ```
//!
//! In a native unit test the lines go to standard error.

use core::fmt::Display;

pub use crate::bindings::wasi::logging::logging::Level;

/// Writes one line. `context` says which part of the plugin speaks; it may be empty.
pub fn write(level: Level, context: &str, message: impl Display) {
    write_text(level, context, &message.to_string());
}

/// Details for somebody who follows one callback through the plugin.
pub fn trace(message: impl Display) {
    write(Level::Trace, "", message);
}

/// Details for the plugin's author.
pub fn debug(message: impl Display) {
    write(Level::Debug, "", message);
}

/// Normal operation that an operator may want to see.
pub fn info(message: impl Display) {
    write(Level::Info, "", message);
}

/// An unexpected condition that the plugin handled.
pub fn warn(message: impl Display) {
    write(Level::Warn, "", message);
}

/// A failure that needs attention.
pub fn error(message: impl Display) {
    write(Level::Error, "", message);
}

#[cfg(target_arch = "wasm32")]
fn write_text(level: Level, context: &str, message: &str) {
    crate::bindings::wasi::logging::logging::log(level, context, message);
}

#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::print_stderr, reason = "a native unit test has no host to log to")]
fn write_text(level: Level, context: &str, message: &str) {
    eprintln!("{level:?} {context} {message}");
}
