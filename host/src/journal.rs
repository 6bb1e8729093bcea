//! Every callback with what came of it, on disk: a ring of bounded size that a crash leaves readable, written by one thread that
//! no answer waits for.
//!
//! `tape` takes down what the host told a guest, `draft` is a callback that waits to be written, `entry` is what is kept of
//! one, `mask` what is not, `stand_ins` compares what was masked with what it was, `segment` and `ring` are the files, `writer` is the thread. Nothing here decides anything about a
//! callback.

pub mod config;
pub mod draft;
pub mod entry;
pub mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod mask;
mod members;
pub mod ring;
mod segment;
pub mod stand_ins;
pub mod tape;
pub mod writer;
