//! Draining a session when the host stops.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::shutdown::Shutdown;

/// The longest wait of a stopping host for a moment with no callback under way. The platform goes on sending until the connection
/// is closed, and callbacks under way then lose their answers; after this time no new message is read.
const LAST_CALL: Duration = Duration::from_secs(5);

/// Knows if the host is stopping, and until when messages are still read.
pub(super) struct Drain<'a> {
    /// Resolves when the host begins to stop. It is kept for the whole session, because all connections of the host wait on the
    /// same token, in one list under one lock.
    pub(super) stopping: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
    last_call: Option<Instant>,
}

impl<'a> Drain<'a> {
    /// Starts in the state before the host stops.
    pub(super) fn new(shutdown: &'a Shutdown) -> Self {
        Self { stopping: Box::pin(shutdown.begun()), last_call: None }
    }

    /// Starts draining: new messages are read for at most `LAST_CALL` longer.
    pub(super) fn begin(&mut self) {
        self.last_call = Some(Instant::now() + LAST_CALL);
    }

    /// Returns true once draining has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.last_call.is_some()
    }

    /// Returns true if messages are still read.
    pub(super) fn still_reads(&self) -> bool {
        self.last_call.is_none_or(|last_call| Instant::now() < last_call)
    }
}
