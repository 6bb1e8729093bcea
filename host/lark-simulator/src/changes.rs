//! Notifies listeners whenever the platform has seen something.

use tokio::sync::watch;

/// Notifies its listeners of everything that is seen. Waiting for that replaces sleeping in tests.
#[derive(Clone)]
pub(super) struct Changes(watch::Sender<()>);

/// One listener of [`Changes`].
pub(super) struct Listener(watch::Receiver<()>);

impl Changes {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(super) fn ring(&self) {
        self.0.send_replace(());
    }

    pub(super) fn subscribe(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

impl Listener {
    /// Returns once there was a notification since the last call. Cancel safe.
    pub(super) async fn seen(&mut self) {
        if self.0.changed().await.is_err() {
            // The simulator is gone: nothing will change any more, and the caller's own time limit ends the wait.
            std::future::pending::<()>().await;
        }
    }
}
