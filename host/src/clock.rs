//! The wall clock, for times that another process on another day has to understand.

use std::time::Duration;
use std::time::SystemTime;

/// The time since the Unix epoch; zero on a clock that is set before it.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}
