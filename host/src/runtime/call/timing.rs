//! The times at which a call reached each of its stages, which show where its time went.

use std::time::Duration;

use tokio::time::Instant;

/// The times at which a call reached each of its stages.
#[derive(Clone, Copy, Debug)]
pub struct CallTiming {
    /// When the call got a thread.
    pub began: Instant,
    /// When the call got an instance; `None` if it never got one.
    pub instantiated: Option<Instant>,
    /// When the call ended.
    pub ended: Instant,
    /// True if the instance was made for this call.
    pub fresh: bool,
}

impl CallTiming {
    /// Starts with a call that has just got a thread.
    pub(in crate::runtime) fn beginning(fresh: bool) -> Self {
        let now = Instant::now();
        Self { began: now, instantiated: None, ended: now, fresh }
    }

    /// Returns the time from the first thread to the end.
    pub fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }
}
