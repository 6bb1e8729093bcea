//! The moments of a call, for whoever wants to know where its time went.

use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// It had a thread.
    pub began: Instant,
    /// It had an instance; absent if it never had.
    pub instantiated: Option<Instant>,
    /// It ended.
    pub ended: Instant,
    /// Whether its instance was made for it.
    pub fresh: bool,
}

impl Course {
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
