//! Prints for commands. Much of the text comes from outside, as plugins, callbacks and file names do, and must not control the
//! terminal.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "all commands print through here")]

use std::fmt;

use crate::printable::Keep;
use crate::printable::escaped;

/// Prints a line of a command's result to standard output. The text may have lines of its own.
pub fn print_result(text: fmt::Arguments<'_>) {
    println!("{}", escaped(&text.to_string(), Keep::Lines));
}

/// Prints a line about a command to standard error. The text may have lines of its own.
pub fn print_notice(text: fmt::Arguments<'_>) {
    eprintln!("{}", escaped(&text.to_string(), Keep::Lines));
}

/// Like [`println!`], for text from outside.
macro_rules! result {
    ($($text:tt)*) => { $crate::terminal::print_result(format_args!($($text)*)) };
}

/// Like [`eprintln!`], for text from outside.
macro_rules! notice {
    ($($text:tt)*) => { $crate::terminal::print_notice(format_args!($($text)*)) };
}

pub(crate) use notice;
pub(crate) use result;
