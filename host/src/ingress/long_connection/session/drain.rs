//! The end of a session whose host stops.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::shutdown::Shutdown;

/// How long a stopping host waits for a moment with nothing under way. The platform goes on sending until the
/// connection is closed, and what is under way then loses its answer; from here on nothing new is read.
const LAST_CALL: Duration = Duration::from_secs(5);

/// Whether the host stops, and until when messages are read all the same.
pub(super) struct Drain<'a> {
    /// Ends when the host begins to stop. One for all events of a session: every connection of the host waits for the same
    /// word, in one list under one lock.
    pub(super) stopping: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
    last_call: Option<Instant>,
}

impl<'a> Drain<'a> {
    /// The host does not stop yet.
    pub(super) fn new(shutdown: &'a Shutdown) -> Self {
        Self { stopping: Box::pin(shutdown.begun()), last_call: None }
    }

    /// The host stops.
    pub(super) fn begin(&mut self) {
        self.last_call = Some(Instant::now() + LAST_CALL);
    }

    /// Whether the host stops.
    pub(super) fn has_begun(&self) -> bool {
        self.last_call.is_some()
    }

    /// Whether messages are still read.
    pub(super) fn still_reads(&self) -> bool {
        self.last_call.is_none_or(|last_call| Instant::now() < last_call)
    }
}
