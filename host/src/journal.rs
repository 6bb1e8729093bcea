//! Every callback with what came of it, on disk: a ring of bounded size that a crash leaves readable, written by one thread that
//! no answer waits for.
//!
//! `draft` is a callback that waits to be written, `entry` is what is kept of one, `mask` what is not, `segment` and `ring` are
//! the files, and `writer` is the thread. Nothing here decides anything about a callback.

pub mod config;
pub mod draft;
pub mod entry;
pub mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod mask;
mod members;
pub mod ring;
mod segment;
pub mod writer;
