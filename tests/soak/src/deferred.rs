//! Cards that are to be shown after the answer: never before the answer was flushed, and once each, even if the host is killed in
//! between. The simulated platform is the judge.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::Simulator;
use lark_simulator::script::CardUpdateScript;

use crate::QUIET;
use crate::clicks::Doors;
use crate::clicks::Tally;

/// Time between two clicks: an app may make 1,000 updates in a minute, and queueing is not what is tested.
const PACE: Duration = Duration::from_millis(61);
/// Text of the guest's toast after its update was accepted.
const TAKEN: &str = "Ok(())";
/// A platform error after which the host may try again.
const TRY_AGAIN: CardUpdateScript = CardUpdateScript::Refuse { status: 400, code: 300_000 };

/// Counts of this part.
pub(crate) struct Deferred {
    pub(crate) tally: Tally,
    pub(crate) updates: usize,
    pub(crate) before_flush: usize,
    pub(crate) lost_after_kill: usize,
    pub(crate) twice_after_kill: usize,
}

pub(crate) async fn run(updates: usize, killed: usize) -> anyhow::Result<Deferred> {
    let app = App::default().guest("defers")?.connections(2);
    let mut running = Setup::new(app).set("log", "level", QUIET).start().await?;
    let mut tally = Tally::default();
    click(&running, updates, &mut tally).await?;
    let simulator = running.platform()?.simulator();
    running.platform()?.wait_until(|simulator| shown(simulator).len() >= updates).await?;
    let before_flush = simulator.early_card_updates().len();
    let before = shown(simulator).len();

    // Every update fails until the host is dead.
    script(&running, TRY_AGAIN)?;
    click(&running, killed, &mut tally).await?;
    running
        .host
        .wait_for_metrics("updates wait", |metrics| {
            metrics.sum("aviary_card_updates_waiting", &[]) >= killed as f64
        })
        .await?;
    running.host.kill().await?;
    script(&running, CardUpdateScript::Normal)?;
    running.restart().await?;
    let all = before + killed;
    let in_time = running.platform()?.wait_until(|simulator| shown(simulator).len() >= all).await;
    let lost_after_kill = all - shown(running.platform()?.simulator()).len().min(all);
    ensure!(in_time.is_ok() == (lost_after_kill == 0), "the platform contradicts itself");
    // A third start has nothing left to do; any update that it sends would be the second of its card.
    nothing_waits(&running).await?;
    running.host.kill().await?;
    running.restart().await?;
    nothing_waits(&running).await?;
    let twice = shown(running.platform()?.simulator()).values().filter(|times| **times > 1).count();
    Ok(Deferred { tally, updates, before_flush, lost_after_kill, twice_after_kill: twice })
}

/// Waits until no update is left. A host that is killed between an update and the note of it cannot know that the update was
/// made.
async fn nothing_waits(running: &Running) -> anyhow::Result<()> {
    let none = |metrics: &Metrics| metrics.sum("aviary_card_updates_waiting", &[]) == 0.0;
    running.host.wait_for_metrics("nothing waits", none).await?;
    Ok(())
}

fn script(running: &Running, script: CardUpdateScript) -> anyhow::Result<()> {
    let platform = running.platform()?;
    Ok(platform.simulator().set_card_update(platform.app(), script)?)
}

/// Makes that many clicks by both doors, each of which defers one card.
async fn click(running: &Running, clicks: usize, tally: &mut Tally) -> anyhow::Result<()> {
    let doors = Doors::of(running).await?;
    let mut ticks = tokio::time::interval(PACE);
    for number in 0..clicks {
        ticks.tick().await;
        let click = doors.click(running, "once", number).await?;
        ensure!(click.toast() == TAKEN, "the guest could not defer a card: {}", click.toast());
        tally.add(&click);
    }
    Ok(())
}

/// Counts how often each card was shown, by its update token.
fn shown(simulator: &Simulator) -> BTreeMap<String, usize> {
    let mut shown = BTreeMap::new();
    for update in simulator.card_updates().into_iter().filter(|update| update.code == 0) {
        *shown.entry(update.token).or_default() += 1;
    }
    shown
}
