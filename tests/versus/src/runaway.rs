//! A plugin that never answers gets a tenth of the traffic, and the latency of the others is measured. The host has its defaults:
//! it pauses the plugin after some failures, and tries it again now and then.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use aviary_e2e::artifacts;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::aviary::Plan;
use crate::aviary::route;
use crate::click::Clicks;
use crate::contestant;
use crate::contestant::Contestant;
use crate::contestant::Who;
use crate::cores::Cores;
use crate::lane::Lane;
use crate::load::Meter;
use crate::load::Sample;
use crate::row::Row;
use crate::row::Scenario;
use crate::size::CONCURRENCY;
use crate::size::Size;

/// Time between two polls of the host's processor time.
const LOOK: Duration = Duration::from_millis(200);
/// A host at rest uses a smaller share of its core.
const AT_REST: f64 = 0.05;
/// The button of the plugin that never answers.
const BUTTON: &str = "runaway";
/// One click in ten is for that plugin: one for nine answers of the others.
const HEALTHY_FOR_ONE: usize = 9;
/// Maximum of such clicks that wait at once: one that waits until the host answers in the plugin's place waits for seconds, and a
/// closed loop of eight would be full of them. Further users stay away, as people do.
const WAITING: usize = 64;

/// Measures the same host with the attack and without it, in turns.
pub(crate) async fn run(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let runaway = std::fs::read(artifacts::guest("loop-forever")?)?;
    let plan = Plan::usual()?.with("runaway", runaway, json!({ "route": route(BUTTON) }));
    let host = contestant::aviary(&plan, cores).await?;
    drive(&host, Scenario::Quiet, size.warm_up, size.rest).await?;
    drive(&host, Scenario::Runaway, size.warm_up, size.rest).await?;
    let scenarios = [Scenario::Quiet, Scenario::Runaway];
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..size.runs {
        for (scenario, samples) in scenarios.into_iter().zip(&mut samples) {
            samples.push(drive(&host, scenario, size.run, size.rest).await?);
        }
    }
    let rows = scenarios.into_iter().zip(samples);
    let row = |(scenario, samples)| Row::new(scenario, Who::AviaryRust, CONCURRENCY, samples);
    Ok(rows.filter_map(row).collect())
}

/// Samples only the healthy users. Pending clicks on the failing plugin are awaited, so that none is left for the next run.
async fn drive(
    host: &Contestant,
    scenario: Scenario,
    length: Duration,
    at_most: Duration,
) -> anyhow::Result<Sample> {
    let mut lanes = Vec::new();
    let healthy = Arc::new(Clicks::on("ok"));
    for _ in 0..CONCURRENCY {
        lanes.push(Lane::open(&host.target, Arc::clone(&healthy)).await?);
    }
    // No click on the failing plugin is due until the others have had their nine answers.
    let due = Arc::new(Semaphore::new(0));
    let attackers = if scenario == Scenario::Runaway { WAITING } else { 0 };
    let mut waiting = attack(host, attackers, &due).await?;
    let meter = Meter::start(host)?;
    let mut users = JoinSet::new();
    for mut lane in lanes {
        let (until, due) = (meter.began + length, Arc::clone(&due));
        users.spawn(async move {
            let mut taken: Vec<Duration> = Vec::new();
            while Instant::now() < until {
                taken.push(lane.click().await?);
                // A click that would have to wait for one of the places is dropped.
                if taken.len().is_multiple_of(HEALTHY_FOR_ONE) && due.available_permits() < WAITING
                {
                    due.add_permits(1);
                }
            }
            anyhow::Ok(taken)
        });
    }
    let context = || format!("under attack: {}", host.process.last_words());
    let mut taken = Vec::new();
    while let Some(user) = users.join_next().await {
        taken.extend(user?.with_context(context)?);
    }
    let sample = meter.stop(host, taken)?;
    due.close();
    while let Some(attacker) = waiting.join_next().await {
        attacker?.with_context(context)?;
    }
    // Calls continue after their answer. Their rest must not be part of the next run.
    rest(host, at_most).await?;
    host.process.forget_log()?;
    Ok(sample)
}

/// Clicks on the failing plugin whenever `due` asks for it, with that many users, until `due` is closed.
async fn attack(
    host: &Contestant,
    attackers: usize,
    due: &Arc<Semaphore>,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let clicks = Arc::new(Clicks::on(BUTTON));
    let mut waiting = JoinSet::new();
    for _ in 0..attackers {
        let mut lane = Lane::open(&host.target, Arc::clone(&clicks)).await?;
        let due = Arc::clone(due);
        waiting.spawn(async move {
            while let Ok(turn) = due.acquire().await {
                turn.forget();
                lane.click_for_any_toast().await?;
            }
            Ok(())
        });
    }
    Ok(waiting)
}

/// Waits until the host is idle.
async fn rest(host: &Contestant, at_most: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < at_most {
        let before = host.process.processor_time()?;
        tokio::time::sleep(LOOK).await;
        let used = host.process.processor_time()? - before;
        if used.as_secs_f64() < AT_REST * LOOK.as_secs_f64() {
            return Ok(());
        }
    }
    Ok(())
}
