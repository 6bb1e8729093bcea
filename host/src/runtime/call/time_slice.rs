//! The time after which a guest that calls the host has to yield.

use std::time::Duration;
use std::time::Instant;

/// A guest that calls the host yields after this long. Other guests yield every
/// [`YIELD_INTERVAL`](crate::runtime::call::guest::YIELD_INTERVAL).
const SLICE: Duration = Duration::from_micros(200);

/// When the call last yielded.
#[derive(Debug)]
pub(in crate::runtime) struct TimeSlice(Instant);

impl TimeSlice {
    pub(in crate::runtime) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(in crate::runtime) fn is_over(&self) -> bool {
        self.0.elapsed() >= SLICE
    }
}
