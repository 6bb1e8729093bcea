//! Every other callback goes to a plugin that does its worst. Each is answered, in time and well-formed, and the healthy plugin
//! between them is not affected.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use aviary_e2e::artifacts;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

use crate::QUIET;
use crate::clicks::Doors;
use crate::clicks::Tally;
use crate::memory::Gauge;

/// Users who click as fast as they get their answers.
const PEOPLE: usize = 24;
/// Text of the healthy plugin's toast.
const HEALTHY: &str = "1";
/// Share of each guest in a hundred hostile callbacks: smaller if one call costs a tenth of a second of a core, or keeps a user
/// waiting until the deadline.
const MIX: [(&str, usize); 10] = [
    ("loop-forever", 15),
    ("eat-memory", 5),
    ("overflow-stack", 15),
    ("trap", 20),
    ("slow", 2),
    ("host-calls", 15),
    ("hundred-megabytes", 1),
    ("invalid-card", 12),
    ("invalid-utf8", 10),
    ("log-flood", 5),
];

/// Counts of this part.
pub(crate) struct Hostile {
    pub(crate) tally: Tally,
    /// Healthy callbacks that the host answered in place of their plugin.
    pub(crate) healthy_refused: usize,
    pub(crate) memory_growth_percent: f64,
}

pub(crate) async fn run(callbacks: usize) -> anyhow::Result<Hostile> {
    let mut app = App::default().guest("counter")?;
    for (guest, _) in MIX {
        app = app.component(guest, artifacts::guest(guest)?, Some(sidecar(guest)));
    }
    let running = Setup::new(app.connections(2)).set("log", "level", QUIET).start().await?;
    let hostile: Vec<_> =
        MIX.iter().flat_map(|(guest, count)| std::iter::repeat_n(*guest, *count)).collect();
    let next = AtomicUsize::new(0);
    let gauge = Gauge::default();
    let progress = || next.load(Ordering::Relaxed) as f64 / callbacks as f64;
    let doors = Doors::of(&running).await?;
    let people = (0..PEOPLE).map(|_| click_on(&running, &doors, &hostile, &next, callbacks));
    let mut total = Tally::default();
    let mut healthy_refused = 0;
    tokio::select! {
        watched = gauge.watch(&running.host, progress) => watched?,
        all = futures_util::future::try_join_all(people) => {
            for (tally, refused) in all? {
                total.merge(&tally);
                healthy_refused += refused;
            }
        }
    }
    Ok(Hostile { tally: total, healthy_refused, memory_growth_percent: gauge.growth_percent() })
}

fn sidecar(guest: &str) -> Value {
    let limits = match guest {
        // Fuel for five milliseconds of a core is exhausted like that for five seconds, and a hundred thousand calls end in a
        // reasonable time.
        "loop-forever" | "host-calls" => json!({ "fuel": 50_000_000 }),
        "hundred-megabytes" => json!({ "memory_bytes": 256 << 20, "calls": 2 }),
        "log-flood" => json!({ "log_bytes": 2048 }),
        _ => json!({}),
    };
    let mut sidecar = json!({ "route": [{ "action_name": button(guest) }], "limits": limits });
    if guest != "trap" {
        // One of the guests is paused as by default; the others must do their worst every time.
        sidecar["breaker"] = json!({ "failures": 1_000_000_000 });
    }
    sidecar
}

async fn click_on(
    running: &Running,
    doors: &Doors,
    hostile: &[&str],
    next: &AtomicUsize,
    callbacks: usize,
) -> anyhow::Result<(Tally, usize)> {
    let (mut tally, mut refused) = (Tally::default(), 0);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= callbacks {
            return Ok((tally, refused));
        }
        if number.is_multiple_of(2) {
            let click = doors.click(running, "healthy", number).await?;
            tally.add(&click);
            refused += usize::from(click.toast() != HEALTHY);
        } else {
            // 37 and 100 have no common factor: every guest gets its share, and no two calls of one kind follow each other.
            let guest = hostile[(number / 2 * 37) % hostile.len()];
            tally.add(&doors.click(running, button(guest), number).await?);
        }
    }
}

/// Returns the button that reaches that guest.
fn button(guest: &str) -> &str {
    // This guest reads the name of the bad card from the button.
    if guest == "invalid-card" { "too-large" } else { guest }
}
