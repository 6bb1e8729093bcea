//! The pings of one session, and the watch for a peer that has gone silent.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::Sleep;

/// The timers for the next ping and for the peer's silence. The platform sets the ping interval, and may change it at any time.
pub(super) struct Heartbeat {
    pub(super) ping: Pin<Box<Sleep>>,
    /// Resolves when the peer may have been silent for too long. The timer is reset only when it fires or has to fire sooner, and
    /// not for each message.
    pub(super) silence: Pin<Box<Sleep>>,
    /// The time beyond a ping interval for which the peer may be silent.
    patience: Duration,
    last_heard: Instant,
    was_heard: bool,
}

impl Heartbeat {
    /// Starts with a ping that is due now.
    pub(super) fn new(ping_interval: Duration, patience: Duration) -> Self {
        let now = Instant::now();
        Self {
            ping: Box::pin(tokio::time::sleep_until(now)),
            silence: Box::pin(tokio::time::sleep_until(now + ping_interval + patience)),
            patience,
            last_heard: now,
            was_heard: false,
        }
    }

    /// Notes that the peer sent something. `is_good` says that it shows a good connection.
    pub(super) fn heard(&mut self, now: Instant, is_good: bool) {
        self.last_heard = now;
        self.was_heard |= is_good;
    }

    /// Returns true if the peer ever showed that the connection is good.
    pub(super) fn was_heard(&self) -> bool {
        self.was_heard
    }

    /// Schedules the next ping after one was sent.
    pub(super) fn pinged(&mut self, ping_interval: Duration) {
        self.ping.as_mut().reset(Instant::now() + ping_interval);
    }

    /// Sets the timer to the moment at which the silence becomes too long.
    pub(super) fn watch(&mut self, ping_interval: Duration) {
        let silent_at = self.silent_at(ping_interval);
        self.silence.as_mut().reset(silent_at);
    }

    /// Returns the duration of the peer's silence; `None` if it is not too long.
    pub(super) fn silence_so_far(&self, ping_interval: Duration) -> Option<Duration> {
        let is_silent = self.silent_at(ping_interval) <= Instant::now();
        is_silent.then(|| self.last_heard.elapsed())
    }

    fn silent_at(&self, ping_interval: Duration) -> Instant {
        self.last_heard + ping_interval + self.patience
    }
}
