//! People who click, by both doors, and what they see.

use std::time::Duration;

use aviary_e2e::platform::Seen;
use aviary_e2e::sender;
use aviary_e2e::setup::Running;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use serde_json::Value;

use crate::report::LATEST_ANSWER_MS;

/// Error that the client shows when there was no answer.
const NO_ANSWER: u32 = 200_341;

/// Addresses of the host's doors.
pub(crate) struct Doors {
    webhook: Door,
}

impl Doors {
    pub(crate) async fn of(running: &Running) -> anyhow::Result<Self> {
        let url = running.webhook_url(&running.apps()[0]).await?;
        Ok(Self { webhook: Door::Webhook { url } })
    }

    /// Clicks a button of that name. The door depends on `number`, and on nothing that repeats with it.
    pub(crate) async fn click(
        &self,
        running: &Running,
        button: &str,
        number: usize,
    ) -> anyhow::Result<Click> {
        self.deliver(running, sender::click(button), number).await
    }

    /// Delivers a click with that body, by either door.
    pub(crate) async fn deliver(
        &self,
        running: &Running,
        body: Value,
        number: usize,
    ) -> anyhow::Result<Click> {
        let delivery = Delivery::json(DeliveryKind::CardAction, body);
        // Knuth's multiplicative hash gives neighbouring numbers different bits.
        let hash = (number as u32).wrapping_mul(2_654_435_761) >> 16;
        let door = if hash & 1 == 0 { &Door::LongConnection } else { &self.webhook };
        Ok(Click(running.platform()?.send_by(door, &delivery).await?))
    }
}

/// The result of one click.
pub(crate) struct Click(Seen);

impl Click {
    pub(crate) fn toast(&self) -> &str {
        self.0.toast()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.exchange().elapsed
    }
}

/// Totals of many clicks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: usize,
    pub(crate) malformed: usize,
    pub(crate) late: usize,
    pub(crate) max_ms: f64,
}

impl Tally {
    pub(crate) fn add(&mut self, click: &Click) {
        let ms = milliseconds(click.elapsed());
        self.sent += 1;
        self.max_ms = self.max_ms.max(ms);
        match click.0.error() {
            Some(error) if error.code == NO_ANSWER => self.late += 1,
            Some(_) => self.malformed += 1,
            None if ms > LATEST_ANSWER_MS => self.late += 1,
            // A click must be answered with something visible, whatever the plugin did.
            None if click.toast().is_empty() => self.malformed += 1,
            None => {}
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.malformed += other.malformed;
        self.late += other.late;
        self.max_ms = self.max_ms.max(other.max_ms);
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Returns the value that 99 of 100 samples do not exceed.
pub(crate) fn p99(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let index = (samples.len() * 99).div_ceil(100).saturating_sub(1);
    samples.get(index).copied().unwrap_or_default()
}
