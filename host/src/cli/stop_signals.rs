//! The signals that stop a command.

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// SIGTERM and Ctrl-C. From [`StopSignals::listen`] on they are waited for instead of ending the process.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn received(&mut self) {
        tokio::select! {
            // Cancel safe: both only wait.
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
