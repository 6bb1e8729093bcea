//! Stop taking work, finish what is under way, then go. One signal, seen by everyone who asked for it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells tasks to stop, and knows when they have.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Nothing stops yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone to stop.
    pub fn begin(&self) {
        self.begun.cancel();
        self.tasks.close();
    }

    /// Resolves once stopping has begun. Cancel safe.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Has it?
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Cancelled once stopping has begun. Cancelling it tells everyone, and is [`Shutdown::begin`]'s to do.
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// The tasks that [`Shutdown::finished`] waits for.
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

    /// Waits for the tasks, at most `grace`. `false` if some were still at it.
    pub async fn finished(&self, grace: Duration) -> bool {
        tokio::time::timeout(grace, self.tasks.wait()).await.is_ok()
    }
}
