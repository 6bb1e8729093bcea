//! Identifiers of the shapes the platform uses. They are unique, not secret: nothing outside loopback ever sees them.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Returns `length` random hex digits.
pub(super) fn hex(length: usize) -> String {
    std::iter::repeat_with(|| fastrand::digit(16)).take(length).collect()
}

/// Returns a `header.event_id`, or a `uuid` of a 1.0 event.
pub(super) fn event_id() -> String {
    hex(32)
}

/// Returns a credential for updating one card, as a click brings one.
pub(super) fn update_token() -> String {
    format!("c-{}", hex(40))
}

/// Returns a `message_id` for a frame, in the shape of a UUID.
pub(super) fn frame_message_id() -> String {
    [8, 4, 4, 4, 12].map(hex).join("-")
}

/// Returns the milliseconds since the Unix epoch.
pub(super) fn unix_millis() -> u128 {
    // A clock before 1970 is not worth an error: the value is only shown.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}
