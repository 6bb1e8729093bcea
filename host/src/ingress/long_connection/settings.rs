//! What the platform wishes of a connection, kept within what makes sense.
//!
//! The configuration comes with discovery and with every pong. A zero, negative, missing or absurd number never becomes
//! a busy loop or a dead timer: it is clamped, or the number before it stays.

use std::time::Duration;

use serde::Deserialize;

/// The bounds of every wait, in seconds.
const PING: std::ops::RangeInclusive<i64> = 1..=600;
/// Likewise.
const RECONNECT: std::ops::RangeInclusive<i64> = 1..=600;
/// 0 means: dial again at once.
const NONCE: std::ops::RangeInclusive<i64> = 0..=300;

/// `ClientConfig` on the wire: seconds, any of them absent. `ReconnectCount` is not read: a host that gives up is deaf
/// until somebody notices.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireSettings {
    reconnect_interval: Option<i64>,
    reconnect_nonce: Option<i64>,
    ping_interval: Option<i64>,
}

/// What holds now.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Between two pings.
    pub(super) ping_interval: Duration,
    /// The first wait after a connection was lost is random, below this, so that a thousand hosts do not come at once.
    pub(super) reconnect_nonce: Duration,
    /// Every further wait.
    pub(super) reconnect_interval: Duration,
}

impl Default for Settings {
    /// The official SDKs' own defaults, until the platform says otherwise.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(120),
            reconnect_nonce: Duration::from_secs(30),
            reconnect_interval: Duration::from_secs(120),
        }
    }
}

impl Settings {
    /// Takes over what the platform sent.
    pub(super) fn update(&mut self, wire: &WireSettings) {
        take(&mut self.ping_interval, wire.ping_interval, &PING);
        take(&mut self.reconnect_nonce, wire.reconnect_nonce, &NONCE);
        take(&mut self.reconnect_interval, wire.reconnect_interval, &RECONNECT);
    }
}

fn take(current: &mut Duration, wire: Option<i64>, bounds: &std::ops::RangeInclusive<i64>) {
    match wire {
        Some(seconds) if seconds >= *bounds.start() => {
            *current = Duration::from_secs(seconds.min(*bounds.end()).unsigned_abs());
        }
        Some(seconds) => tracing::warn!(
            seconds,
            "the platform sent an interval that makes no sense, it is ignored"
        ),
        None => {}
    }
}
