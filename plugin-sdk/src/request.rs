//! The callback that is being answered: how long is left, its full text, and for an event which attempt this is. These ask the host, so
//! they work in a component only; called from a native unit test they panic.

use core::time::Duration;

use serde_json::Value;

use crate::bindings::lark::callback::request;
use crate::json::JsonError;
use crate::json::read;

/// Time left until the host answers without you. What you return after that is not lost: the card
/// you return becomes a later update. Zero when the time is over.
pub fn remaining() -> Duration {
    Duration::from_millis(u64::from(request::remaining_ms()))
}

/// The whole callback as the platform sent it, as JSON text, without the verification token and other
/// secrets. Nothing is copied into the plugin until this is called.
pub fn raw() -> String {
    request::raw()
}

/// [`raw`], parsed.
///
/// # Errors
/// [`JsonError::Malformed`], which the host rules out: it parsed the callback before you did.
pub fn raw_json() -> Result<Value, JsonError> {
    read("request.raw", Some(&raw()))
}

/// The number of this attempt at an event that the host has stored, 1 for the first. More says that a handler may have seen the
/// event before: a try failed, or a host was killed. 1 for everything else.
pub fn attempt() -> u32 {
    let attempt = raw_json().ok().and_then(|raw| raw.pointer("/aviary/attempt")?.as_u64());
    attempt.and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1)
}
