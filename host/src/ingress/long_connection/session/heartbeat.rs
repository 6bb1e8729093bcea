//! The pings of one session, and the watch over a peer that has gone silent.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::Sleep;

/// When the next ping is due, and when the peer counts as gone. The platform sets the interval between pings, and may change
/// it at any time.
pub(super) struct Heartbeat {
    pub(super) ping: Pin<Box<Sleep>>,
    /// Ends when the peer may have been silent for too long. It is set anew only when it ends or has to end sooner, and not
    /// with each message.
    pub(super) silence: Pin<Box<Sleep>>,
    /// How much longer than a ping interval the peer may say nothing.
    patience: Duration,
    last_heard: Instant,
    was_heard: bool,
}

impl Heartbeat {
    /// The first ping is due now.
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

    /// The peer sent something now, which may be a sign that the connection is good.
    pub(super) fn heard(&mut self, now: Instant, is_good: bool) {
        self.last_heard = now;
        self.was_heard |= is_good;
    }

    /// Whether there ever was a sign that the connection is good.
    pub(super) fn was_heard(&self) -> bool {
        self.was_heard
    }

    /// A ping was sent.
    pub(super) fn pinged(&mut self, ping_interval: Duration) {
        self.ping.as_mut().reset(Instant::now() + ping_interval);
    }

    /// Ends the silence where it would be too long.
    pub(super) fn watch(&mut self, ping_interval: Duration) {
        let silent_at = self.silent_at(ping_interval);
        self.silence.as_mut().reset(silent_at);
    }

    /// How long the peer has been silent, if that is too long.
    pub(super) fn silence_so_far(&self, ping_interval: Duration) -> Option<Duration> {
        let is_silent = self.silent_at(ping_interval) <= Instant::now();
        is_silent.then(|| self.last_heard.elapsed())
    }

    fn silent_at(&self, ping_interval: Duration) -> Instant {
        self.last_heard + ping_interval + self.patience
    }
}
