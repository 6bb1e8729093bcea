//! The wall clock, for times that other processes read later.

use std::time::Duration;
use std::time::SystemTime;

/// Returns the time since the Unix epoch; zero if the clock is set to a time before it.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Returns the time since the Unix epoch in milliseconds.
pub fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}
