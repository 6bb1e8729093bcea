//! The pauses between attempts to connect. A host never gives up because of failures alone.

use std::time::Duration;

use crate::ingress::long_connection::settings::ConnectionSettings;

/// The first pauses after a failure. The platform's own interval may be minutes, and a host that is offline for minutes after a
/// network failure of one second loses clicks that are never sent again.
const FIRST_WAITS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Every further pause, unless the platform's interval is shorter: short enough for waiting users, and two attempts a minute are
/// not a burden for a platform that is down.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The first pause after a good connection is random, and no longer than this, whatever the platform's nonce says.
const MAX_FIRST_SPREAD: Duration = Duration::from_secs(5);

/// The attempts since a connection was last good.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: usize,
}

impl Backoff {
    /// Resets the pauses after a connection on which the platform sent something. One that opens and breaks without a message is
    /// a failure like any other; otherwise a gateway that does so would be dialled several times a second.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Returns the pause before the next attempt, up to half longer at random so that many hosts do not dial in step.
    pub(super) fn next(&mut self, settings: &ConnectionSettings) -> Duration {
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        match FIRST_WAITS.get(failures) {
            Some(first) if failures == 0 => first.mul_f64(fastrand::f64()) + spread(settings),
            Some(wait) => (*wait).min(settings.reconnect_interval).mul_f64(jitter()),
            None => LONGEST_WAIT.min(settings.reconnect_interval).mul_f64(jitter()),
        }
    }
}

fn jitter() -> f64 {
    1.0 + fastrand::f64() / 2.0
}

fn spread(settings: &ConnectionSettings) -> Duration {
    settings.reconnect_nonce.min(MAX_FIRST_SPREAD).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_stay_there() {
        let settings = ConnectionSettings::default();
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..1000).map(|_| backoff.next(&settings)).collect();
        assert!(waits[0] <= FIRST_WAITS[0] + MAX_FIRST_SPREAD, "{:?}", waits[0]);
        for (wait, first) in waits[1..].iter().zip(&FIRST_WAITS[1..]) {
            assert!(wait >= first && *wait <= first.mul_f64(1.5), "{wait:?}");
        }
        let (least, most) = (LONGEST_WAIT, LONGEST_WAIT.mul_f64(1.5));
        assert!(waits[5..].iter().all(|wait| (least..=most).contains(wait)));
        assert_ne!(waits[5], waits[6], "jittered");
        backoff.succeeded();
        assert!(backoff.next(&settings) <= FIRST_WAITS[0] + MAX_FIRST_SPREAD);
    }
}
