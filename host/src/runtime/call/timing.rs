//! When a call reached each of its stages: shows where its time went.

use std::time::Duration;

use tokio::time::Instant;

/// When a call reached each of its stages.
#[derive(Clone, Copy, Debug)]
pub struct CallTiming {
    /// The call had a thread.
    pub began: Instant,
    /// The call had an instance; `None` if it never got one.
    pub instantiated: Option<Instant>,
    /// The call ended.
    pub ended: Instant,
    /// Whether the instance was made for this call.
    pub fresh: bool,
}

impl CallTiming {
    /// Of a call that has a thread now.
    pub(in crate::runtime) fn beginning(fresh: bool) -> Self {
        let now = Instant::now();
        Self { began: now, instantiated: None, ended: now, fresh }
    }

    /// With a thread, from the beginning to the end.
    pub fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }
}
