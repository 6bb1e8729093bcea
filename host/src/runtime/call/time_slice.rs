//! How long a guest that calls the host keeps its thread before it yields.

use std::time::Duration;
use std::time::Instant;

/// A guest that calls the host gives way after this long, as one that does not gives way every
/// [`YIELD_INTERVAL`](crate::runtime::call::guest::YIELD_INTERVAL).
const SLICE: Duration = Duration::from_micros(200);

/// When this call last gave way to others.
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
