//! What the platform says and what may be answered: pure, without I/O, clock or sockets.
//!
//! The way through is `RawCallback` → [`verify`] → `Verified` → [`envelope`] → `Inbound`, and back from a plugin's
//! `RawReply` through [`reply_check`] to a `Reply`. Only the step before can make what the next one takes.

pub mod envelope;
pub mod fallback;
pub mod freshness;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod model;
pub mod nesting;
pub mod plain;
pub mod reply;
pub mod reply_check;
pub mod seal;
mod unique_members;
pub mod url_check;
pub mod verify;

#[cfg(test)]
mod properties;
