//! Connections that break under load. `AVIARY_E2E_DROPS=1000` sets the number of breaks, and `AVIARY_E2E_SEED` repeats the
//! moments of one run.

use std::cell::Cell;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::PATIENCE;
use aviary_e2e::platform::Platform;
use aviary_e2e::platform::Seen;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use futures_util::future::join_all;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::exchange::Carrier;
use serde_json::json;

/// Enough breaks to hit every moment of a callback's life, few enough for every build.
const DROPS: u64 = 60;
/// Long connections of a host.
const CONNECTIONS: u32 = 4;
/// Users who click one button after the other.
const USERS: usize = 12;
/// Callbacks after which a host has allocated what it keeps: threads, instances, buffers.
const WARM_UP: usize = 400;
/// Enough callbacks for a host to be busy when it is asked to stop, or to have taken over.
const SOME: usize = 50;
/// Tolerated memory growth in bytes: free memory that an allocator keeps, and the noise of a busy machine. A leak of one
/// callback's memory for each break of a long run is more.
const MEMORY_NOISE: u64 = 48 << 20;

fn from_environment(name: &str, otherwise: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number: {text}")),
        Err(_) => Ok(otherwise),
    }
}

fn app() -> anyhow::Result<App> {
    // The plugin takes long enough for its connection to break during a call.
    let slow = json!({ "route": [{ "action_name": "slow" }], "settings": { "millis": "120" } });
    let app = App::default().long_connection_only().connections(CONNECTIONS);
    app.guest("version-a")?.guest_with("slow", slow)
}

/// Clicks on quick and slow buttons, whole and in fragments, until `enough` is true. Returns what the users saw.
async fn clicks(platform: &Platform, enough: &Cell<bool>) -> anyhow::Result<Vec<Seen>> {
    let user = async |number: usize| {
        let mut seen = Vec::new();
        while !enough.get() {
            let button = if (number + seen.len()).is_multiple_of(4) { "slow" } else { "b" };
            let click = Delivery::json(DeliveryKind::CardAction, sender::click(button));
            let click = click.fragments(1 + (number + seen.len()) % 3);
            seen.push(platform.send(&click).await?);
            // All users share one thread, and each must get a turn.
            tokio::task::yield_now().await;
        }
        anyhow::Ok(seen)
    };
    let seen: anyhow::Result<Vec<_>> = join_all((0..USERS).map(user)).await.into_iter().collect();
    Ok(seen?.into_iter().flatten().collect())
}

/// Clicks while `meanwhile` runs. Returns what the users saw, and the result of `meanwhile`.
async fn while_clicking<T>(
    platform: &Platform,
    meanwhile: impl Future<Output = T>,
) -> (anyhow::Result<Vec<Seen>>, T) {
    let enough = Cell::new(false);
    let meanwhile = async {
        let result = meanwhile.await;
        enough.set(true);
        result
    };
    tokio::join!(clicks(platform, &enough), meanwhile)
}

/// Checks that every click with a standing connection was answered. Returns the number of the others.
fn all_were_answered(seen: &[Seen]) -> anyhow::Result<usize> {
    let mut lost = 0;
    for seen in seen {
        let exchange = seen.exchange();
        if exchange.carrier == Carrier::Standing {
            ensure!(seen.error().is_none() && exchange.code == Some(200), "{seen:?}");
        } else {
            lost += 1;
        }
    }
    Ok(lost)
}

async fn tasks(running: &Running) -> anyhow::Result<f64> {
    Ok(running.host.metrics().await?.sum("aviary_tasks", &[]))
}

#[tokio::test]
async fn a_callback_is_answered_wherever_its_connection_lives() -> anyhow::Result<()> {
    let drops = from_environment("AVIARY_E2E_DROPS", DROPS)?;
    let seed = from_environment("AVIARY_E2E_SEED", fastrand::u64(..))?;
    let mut random = fastrand::Rng::with_seed(seed);
    let running = Setup::new(app()?).set("log", "level", "info").start().await?;
    let platform = running.platform()?;
    let simulator = platform.simulator();
    let up = |count| platform.wait_until(move |simulator| simulator.connected(APP_ID) >= count);
    let warm_up = running.host.log().wait_for_count(WARM_UP, events::CALLBACK, &[]);
    let (seen, warm) = while_clicking(platform, warm_up).await;
    warm?;
    ensure!(all_were_answered(&seen?)? == 0, "nothing breaks by itself");
    running.host.wait_for_readyz(200).await?;
    let (tasks_before, memory_before) = (tasks(&running).await?, running.host.memory()?);

    let breaking = async {
        for _ in 0..drops {
            up(2).await?;
            tokio::time::sleep(Duration::from_micros(random.u64(..40_000))).await;
            simulator.drop_connection(APP_ID, random.usize(..))?;
        }
        anyhow::Ok(())
    };
    let (seen, broken) = while_clicking(platform, breaking).await;
    let seen = seen?;
    broken.with_context(|| format!("AVIARY_E2E_SEED={seed}"))?;
    let lost = all_were_answered(&seen).with_context(|| format!("AVIARY_E2E_SEED={seed}"))?;
    ensure!(seen.len() > lost, "{} clicks, {lost} lost", seen.len());
    let counters = simulator.counters(APP_ID);
    ensure!(counters.duplicate_answers == 0 && counters.stray_answers == 0, "{counters:?}");

    up(CONNECTIONS as usize).await?;
    running.host.wait_for_readyz(200).await?;
    let settled = |metrics: &aviary_e2e::metrics::Metrics| {
        metrics.sum("aviary_tasks", &[]) <= tasks_before + 1.0
    };
    running.host.wait_for_metrics("the tasks are as many as before", settled).await?;
    let memory = running.host.memory()?;
    ensure!(memory <= memory_before + MEMORY_NOISE, "{memory_before} bytes before, {memory} after");
    Ok(())
}

#[tokio::test]
async fn a_host_that_stops_leaves_its_callbacks_to_another() -> anyhow::Result<()> {
    let mut first = Setup::new(app()?).start().await?;
    let domain = first.platform()?.domain();
    let second = Setup::new(app()?).against(domain).start().await?;
    let platform = first.platform()?;
    let both = 2 * CONNECTIONS as usize;
    platform.wait_until(|simulator| simulator.connected(APP_ID) == both).await?;
    let stopping = async {
        first.host.log().wait_for_count(SOME, events::CALLBACK, &[]).await?;
        first.host.ask_to_stop()?;
        platform
            .wait_until(|simulator| simulator.connected(APP_ID) == CONNECTIONS as usize)
            .await?;
        let by_the_second = second.host.log().lines(|line| line.is(events::CALLBACK, &[])).len();
        second.host.log().wait_for_count(by_the_second + SOME, events::CALLBACK, &[]).await
    };
    let (seen, stopped) = while_clicking(platform, stopping).await;
    stopped.context("the other takes over")?;
    let seen = seen?;
    let lost = all_were_answered(&seen)?;
    let exit = first.host.wait_at_most(PATIENCE).await?;
    ensure!(exit.status.code() == Some(0), "{exit:?}");
    // A message and a close may cross on the wire, the more of them the busier the machine; the protocol has no word for "send no
    // more". Nothing else may be lost, and the host counts these messages.
    let crossed = first.host.log().lines(|line| line.is(events::MESSAGES_AFTER_CLOSE, &[]));
    let crossed: f64 = crossed.iter().filter_map(|line| line.number_of("missed")).sum();
    ensure!(lost as f64 <= crossed, "{lost} of {} lost, {crossed} crossed", seen.len());
    second.host.wait_for_readyz(200).await?;
    Ok(())
}
