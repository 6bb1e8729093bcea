//! How long to wait before dialling again. It never ends by itself.

use std::time::Duration;

use crate::ingress::long_connection::settings::Settings;

/// The first waits after a failure; from then on the platform's own interval holds, which may be minutes. A host that
/// is deaf for two minutes after a network hiccup of one second loses clicks that nobody sends again.
const FIRST_WAITS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// The first wait after a connection that was up is spread over at most this, whatever the platform's nonce says.
const MAX_FIRST_SPREAD: Duration = Duration::from_secs(5);

/// The attempts since a connection was last up.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: usize,
}

impl Backoff {
    /// A connection is up.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next attempt, with up to a half more so that many hosts do not dial in step.
    pub(super) fn next(&mut self, settings: &Settings) -> Duration {
        let failures = self.failures;
        self.failures += 1;
        match FIRST_WAITS.get(failures) {
            Some(first) if failures == 0 => first.mul_f64(fastrand::f64()) + spread(settings),
            Some(wait) => wait.mul_f64(1.0 + fastrand::f64() / 2.0),
            None => settings.reconnect_interval.mul_f64(1.0 + fastrand::f64() / 2.0),
        }
    }
}

fn spread(settings: &Settings) -> Duration {
    settings.reconnect_nonce.min(MAX_FIRST_SPREAD).mul_f64(fastrand::f64())
}
