//! Understands what the platform sends and checks what the host answers: pure code without I/O, clock or sockets.
//!
//! A body goes from `RawCallback` through [`verify`] to `Verified` and through [`envelope`] to `Inbound`; a plugin's `RawReply`
//! goes through [`reply_check`] to a `Reply`. Only the step before can make the input of the next one.

pub mod approval;
pub mod envelope;
pub mod fallback;
pub mod freshness;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod json_text;
pub mod model;
pub mod nesting;
pub mod plain;
pub(crate) mod raw_object;
pub mod reply;
pub mod reply_check;
pub mod seal;
mod unique_members;
pub mod url_check;
pub mod verify;

#[cfg(test)]
mod properties;
