//! Eight plugins spin for ever. Timers of the I/O threads stay on time, and a healthy callback hardly slows down.

use std::time::Duration;

use aviary_e2e::artifacts;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::endless;
use serde_json::json;
use tokio::time::Instant;

use crate::QUIET;
use crate::clicks::Doors;
use crate::clicks::Tally;
use crate::clicks::milliseconds;
use crate::clicks::p99;

/// Number of plugins that spin.
const RUNAWAYS: usize = 8;
/// Time between two healthy clicks: a hundred in a second, so that thirty seconds are three thousand.
const PACE: Duration = Duration::from_millis(10);
/// Histogram of the host's timer lateness.
const LATENESS: &str = "aviary_io_late_seconds_bucket";
/// Upper bounds of that histogram's buckets, in seconds.
const BOUNDS: [&str; 14] = [
    "0.001", "0.002", "0.003", "0.004", "0.005", "0.006", "0.008", "0.01", "0.015", "0.025",
    "0.05", "0.1", "0.25", "1",
];

/// Measurements of this part.
pub(crate) struct Runaways {
    pub(crate) tally: Tally,
    pub(crate) quiet_p99_ms: f64,
    pub(crate) quiet_heartbeat_p99_ms: f64,
    pub(crate) healthy_p99_ms: f64,
    pub(crate) heartbeat_p99_ms: f64,
}

pub(crate) async fn run(seconds: u64) -> anyhow::Result<Runaways> {
    let spinning = artifacts::guest("loop-forever")?;
    let mut app = App::default().guest("counter")?;
    for index in 0..RUNAWAYS {
        let name = spinner(index);
        // The plugins have fuel for hours and are never paused: they spin until their time is over.
        let mut sidecar = endless();
        sidecar["route"] = json!([{ "action_name": name }]);
        sidecar["breaker"] = json!({ "failures": 1_000_000_000 });
        app = app.component(&name, spinning.clone(), Some(sidecar));
    }
    let setup = Setup::new(app.connections(2)).set("guests", "threads", 2);
    let running = setup.set("log", "level", QUIET).start().await?;
    let doors = Doors::of(&running).await?;
    let length = Duration::from_secs(seconds);
    let mut tally = Tally::default();
    let start = running.host.metrics().await?;
    let quiet = click_steadily(&running, &doors, length, &mut tally).await?;
    let before = running.host.metrics().await?;
    let mut spun = Tally::default();
    let spinners = async {
        let spinners = (0..RUNAWAYS).map(|index| spin(&running, &doors, index));
        futures_util::future::try_join_all(spinners).await
    };
    let healthy = tokio::select! {
        ended = spinners => anyhow::bail!("the runaways ended: {ended:?}"),
        healthy = async {
            // By the end of this wait the first users would have given up.
            click_steadily(&running, &doors, Duration::from_millis(500), &mut spun).await?;
            click_steadily(&running, &doors, length, &mut tally).await
        } => healthy?,
    };
    let heartbeat_p99_ms = lateness_p99_ms(&before, &running.host.metrics().await?);
    Ok(Runaways {
        tally,
        quiet_p99_ms: p99(quiet),
        quiet_heartbeat_p99_ms: lateness_p99_ms(&start, &before),
        healthy_p99_ms: p99(healthy),
        heartbeat_p99_ms,
    })
}

fn spinner(index: usize) -> String {
    format!("spin-{index}")
}

async fn spin(running: &Running, doors: &Doors, index: usize) -> anyhow::Result<()> {
    let button = spinner(index);
    for number in 0.. {
        doors.click(running, &button, number).await?;
    }
    Ok(())
}

/// Makes one click after the other, however long each takes. Returns their latencies in milliseconds.
async fn click_steadily(
    running: &Running,
    doors: &Doors,
    length: Duration,
    tally: &mut Tally,
) -> anyhow::Result<Vec<f64>> {
    let mut taken = Vec::new();
    let began = Instant::now();
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for number in 0.. {
        ticks.tick().await;
        if began.elapsed() > length {
            break;
        }
        let click = doors.click(running, "healthy", number).await?;
        tally.add(&click);
        taken.push(milliseconds(click.elapsed()));
    }
    Ok(taken)
}

/// Returns the first bound of the histogram that 99 of 100 timers between the two scrapes kept.
fn lateness_p99_ms(before: &Metrics, after: &Metrics) -> f64 {
    let since = |bound: &str| {
        let labels = [("le", bound)];
        after.sum(LATENESS, &labels) - before.sum(LATENESS, &labels)
    };
    let all = since("+Inf");
    let kept = BOUNDS.iter().find(|bound| since(bound) >= 0.99 * all);
    kept.and_then(|bound| bound.parse::<f64>().ok()).map_or(f64::INFINITY, |bound| bound * 1000.0)
}
