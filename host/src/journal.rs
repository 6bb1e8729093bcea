//! Records every callback and its outcome on disk, in a ring of bounded size that stays readable after a crash. One thread
//! writes it, and no answer waits for that thread.
//!
//! `draft` is a callback that waits to be written, `entry` its form on disk, `mask` removes credentials, `segment` and `ring`
//! are the files, and `writer` is the thread. Nothing here decides anything about a callback.

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
