//! What the platform wishes of a connection, kept within what makes sense.
//!
//! The configuration comes with discovery and with every pong. A zero, negative, missing or absurd number never becomes
//! a busy loop or a dead timer: it is clamped, or the number before it stays.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

/// The bounds of every wait, in seconds.
const PING: RangeInclusive<i64> = 1..=600;
/// Likewise.
const RECONNECT: RangeInclusive<i64> = 1..=600;
/// 0 means: dial again at once.
const NONCE: RangeInclusive<i64> = 0..=300;

/// `ClientConfig` on the wire: seconds, any of them absent. `ReconnectCount` is not read: a host that gives up is deaf
/// until somebody notices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WireSettings {
    reconnect_interval: Option<i64>,
    reconnect_nonce: Option<i64>,
    ping_interval: Option<i64>,
}

impl WireSettings {
    /// Takes what can be understood of it. A key of the wrong type says as little as one that is not there.
    pub(super) fn read(json: &Value) -> Self {
        Self {
            reconnect_interval: seconds(json, "ReconnectInterval"),
            reconnect_nonce: seconds(json, "ReconnectNonce"),
            ping_interval: seconds(json, "PingInterval"),
        }
    }
}

fn seconds(json: &Value, key: &'static str) -> Option<i64> {
    let value = json.get(key)?;
    // A number too large for 64 bits is read as a float, and `as` makes that the largest integer there is.
    let number = value.as_i64().or_else(|| value.as_f64().map(|number| number as i64));
    if number.is_none() {
        tracing::warn!(key, "the platform sent a setting that is no number, it is ignored");
    }
    number
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
    pub(super) fn update(&mut self, wire: WireSettings) {
        take(&mut self.ping_interval, wire.ping_interval, &PING);
        take(&mut self.reconnect_nonce, wire.reconnect_nonce, &NONCE);
        take(&mut self.reconnect_interval, wire.reconnect_interval, &RECONNECT);
    }
}

fn take(current: &mut Duration, wire: Option<i64>, bounds: &RangeInclusive<i64>) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(config: &Value) -> (u64, u64, u64) {
        let mut settings = Settings::default();
        settings.update(WireSettings::read(config));
        let Settings { ping_interval, reconnect_nonce, reconnect_interval } = settings;
        (ping_interval.as_secs(), reconnect_nonce.as_secs(), reconnect_interval.as_secs())
    }

    #[test]
    fn what_makes_sense_is_taken_over() {
        let config = json!({"ReconnectCount": -1, "ReconnectInterval": 5, "ReconnectNonce": 0, "PingInterval": 90});
        assert_eq!(after(&config), (90, 0, 5));
        assert_eq!(after(&json!({"PingInterval": 60.0})), (60, 30, 120));
    }

    #[test]
    fn what_makes_none_changes_nothing_or_is_clamped() {
        let untouched = (120, 30, 120);
        for config in [json!(null), json!({}), json!([]), json!("x"), json!({"PingInterval": null})]
        {
            assert_eq!(after(&config), untouched, "{config}");
        }
        for value in [json!(0), json!(-5), json!("60"), json!({}), json!(i64::MIN), json!(-1e300)] {
            let (ping, _, interval) =
                after(&json!({"PingInterval": value, "ReconnectInterval": value}));
            assert_eq!((ping, interval), (120, 120), "{value}");
        }
        for value in [json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(601)] {
            let all =
                json!({"PingInterval": value, "ReconnectInterval": value, "ReconnectNonce": value});
            assert_eq!(after(&all), (600, 300, 600), "{value}");
        }
    }
}
