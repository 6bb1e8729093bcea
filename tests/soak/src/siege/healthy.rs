//! Healthy people: they click a button of the plugin that hostile people use as well, by both doors, during the whole siege.

use std::time::Duration;

use aviary_e2e::sender;
use aviary_e2e::setup::Running;
use futures_util::future::try_join_all;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::clicks::Doors;
use crate::clicks::Tally;
use crate::clicks::milliseconds;
use crate::siege::SHARED;

/// Number of people who click.
const PEOPLE: usize = 4;
/// Time between two clicks of one person.
const PACE: Duration = Duration::from_millis(25);
/// Text of the plugin's toast for them.
const SAID: &str = "ok";

/// Counts of the healthy people's clicks.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) tally: Tally,
    pub(super) refused: usize,
    pub(super) taken_ms: Vec<f64>,
}

/// People who only want their button to work.
pub(super) struct Healthy<'a> {
    running: &'a Running,
    doors: Doors,
}

impl<'a> Healthy<'a> {
    pub(super) async fn of(running: &'a Running) -> anyhow::Result<Self> {
        Ok(Self { running, doors: Doors::of(running).await? })
    }

    /// Makes all of them click for that long.
    pub(super) async fn click_for(&self, length: Duration) -> anyhow::Result<Seen> {
        let people = (0..PEOPLE).map(|person| self.click_as(person, length));
        let mut all = Seen::default();
        for seen in try_join_all(people).await? {
            all.tally.merge(&seen.tally);
            all.refused += seen.refused;
            all.taken_ms.extend(seen.taken_ms);
        }
        Ok(all)
    }

    async fn click_as(&self, person: usize, length: Duration) -> anyhow::Result<Seen> {
        let (mut seen, began) = (Seen::default(), Instant::now());
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        for number in (person..).step_by(PEOPLE) {
            ticks.tick().await;
            if began.elapsed() > length {
                break;
            }
            let body = click(&format!("ou_healthy_{person}"), "");
            let click = self.doors.deliver(self.running, body, number).await?;
            seen.tally.add(&click);
            seen.refused += usize::from(click.toast() != SAID);
            seen.taken_ms.push(milliseconds(click.elapsed()));
        }
        Ok(seen)
    }
}

/// Builds a click of that user on the shared plugin's button, with the given action.
pub(super) fn click(user: &str, does: &str) -> Value {
    let mut body = sender::click(SHARED);
    body["event"]["operator"]["open_id"] = user.into();
    body["event"]["action"]["value"] = json!({ "do": does });
    body
}
