//! The platform's settings for a connection, kept within sensible bounds.
//!
//! They come with discovery and with every pong. A zero, negative, missing or absurd number never becomes a busy loop or a dead
//! timer: it is clamped, or the previous number stays.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

/// The bounds of the ping interval, in seconds.
const PING: RangeInclusive<i64> = 1..=600;
/// The bounds of the reconnect interval, in seconds.
const RECONNECT: RangeInclusive<i64> = 1..=600;
/// The bounds of the random first pause, in seconds; 0 dials again at once.
const NONCE: RangeInclusive<i64> = 0..=300;

/// `ClientConfig` as the platform sends it: seconds, each optional. `ReconnectCount` is not read: a host that gives up is offline
/// until somebody notices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WireSettings {
    reconnect_interval: Option<i64>,
    reconnect_nonce: Option<i64>,
    ping_interval: Option<i64>,
}

impl WireSettings {
    /// Reads the settings that can be understood. A key of the wrong type counts as absent.
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
        tracing::warn!(
            key,
            "long connection: ignored a setting of the platform that is not a number"
        );
    }
    number
}

/// The settings in effect.
#[derive(Clone, Debug)]
pub(super) struct ConnectionSettings {
    /// The interval between two pings.
    pub(super) ping_interval: Duration,
    /// The upper bound of the random first pause after a lost connection, so that a thousand hosts do not return at once.
    pub(super) reconnect_nonce: Duration,
    /// The platform's interval between further attempts.
    pub(super) reconnect_interval: Duration,
}

impl Default for ConnectionSettings {
    /// The official SDKs' defaults, used until the platform sends its own.
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(120),
            reconnect_nonce: Duration::from_secs(30),
            reconnect_interval: Duration::from_secs(120),
        }
    }
}

impl ConnectionSettings {
    /// Adopts the settings that the platform sent.
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
        Some(seconds) => {
            tracing::warn!(seconds, "long connection: ignored an interval that is out of range")
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(config: &Value) -> (u64, u64, u64) {
        let mut settings = ConnectionSettings::default();
        settings.update(WireSettings::read(config));
        let ConnectionSettings { ping_interval, reconnect_nonce, reconnect_interval } = settings;
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
