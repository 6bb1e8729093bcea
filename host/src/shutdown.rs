//! The orderly end of the host: it takes no more work, finishes the work under way, and exits. Every task sees the same signal.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells tasks to stop, and waits for them.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Makes a signal that is not given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks all tasks to stop.
    pub fn begin(&self) {
        self.begun.cancel();
        self.tasks.close();
    }

    /// Resolves once stopping has begun. Cancel safe.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Returns true once stopping has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns the token that is cancelled once stopping has begun. Only [`Shutdown::begin`] may cancel it.
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Returns the tracker of the tasks that [`Shutdown::finished`] waits for.
    pub fn tasks(&self) -> TaskTracker {
        self.tasks.clone()
    }

    /// Runs a task that [`Shutdown::finished`] waits for.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Waits for the tasks, at most for `grace`. Returns false if some were still running then.
    pub async fn finished(&self, grace: Duration) -> bool {
        tokio::time::timeout(grace, self.tasks.wait()).await.is_ok()
    }
}
