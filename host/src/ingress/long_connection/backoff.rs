//! How long to wait before dialling again. It never ends by itself.

use std::time::Duration;

use crate::ingress::long_connection::settings::Settings;

/// The first waits after a failure. The platform's own interval may be minutes, and a host that is deaf for minutes after
/// a network hiccup of one second loses clicks that nobody sends again.
const FIRST_WAITS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Every further wait, unless the platform's interval is shorter: often enough for people who wait, and two attempts a
/// minute are no burden for a platform that is down.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The first wait after a connection that was up is spread over at most this, whatever the platform's nonce says.
const MAX_FIRST_SPREAD: Duration = Duration::from_secs(5);

/// The attempts since a connection was last good.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: usize,
}

impl Backoff {
    /// A connection was good: the platform said something on it. One that opens and breaks without a word is a failure
    /// like any other, or a gateway that does so would be dialled several times a second.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next attempt, with up to a half more so that many hosts do not dial in step.
    pub(super) fn next(&mut self, settings: &Settings) -> Duration {
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

fn spread(settings: &Settings) -> Duration {
    settings.reconnect_nonce.min(MAX_FIRST_SPREAD).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_stay_there() {
        let settings = Settings::default();
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
