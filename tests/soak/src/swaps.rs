//! A plugin gets a new version again and again while people click. Every click is answered by a version that was live at some
//! moment between the click and its answer, and earlier versions are freed.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;

use crate::QUIET;
use crate::clicks::Doors;
use crate::clicks::Tally;
use crate::memory::Gauge;

/// Number of people who click.
const PEOPLE: usize = 4;
/// Time between an answer and the next click of a person. Without it the test would measure how four people share two cores with
/// a compiler.
const PACE: Duration = Duration::from_millis(2);
/// Marker in the guest's data; the digits behind it are overwritten.
const MARK: &str = "number:";
/// Number of digits behind the marker.
const DIGITS: usize = 8;
/// Versions that the host keeps of a plugin: the live one and the previous one.
const KEPT: usize = 2;

/// Counts of this part.
pub(crate) struct Swaps {
    pub(crate) tally: Tally,
    pub(crate) swaps: usize,
    pub(crate) lost: usize,
    pub(crate) wrong_version: usize,
    pub(crate) not_freed: usize,
    pub(crate) memory_growth_percent: f64,
}

/// Numbers of the versions: the last one written, and the last one known to be live.
#[derive(Default)]
struct History {
    written: AtomicUsize,
    live: AtomicUsize,
    over: AtomicBool,
}

pub(crate) async fn run(swaps: usize) -> anyhow::Result<Swaps> {
    let original = std::fs::read(artifacts::guest("numbered")?)?;
    let app = App::default().guest("numbered")?.connections(2);
    let running = Setup::new(app).set("log", "level", QUIET).start().await?;
    let doors = Doors::of(&running).await?;
    let history = History::default();
    let people = (0..PEOPLE).map(|person| click_on(&running, &doors, &history, person));
    let swapping = async {
        for number in 1..=swaps {
            history.written.store(number, Ordering::SeqCst);
            replace(&running.plugin_file("numbered.wasm"), &original, number)?;
            let live = running.host.log();
            live.wait_for_count(number + 1, events::PLUGIN_LIVE, &[("plugin", "numbered")]).await?;
            history.live.store(number, Ordering::SeqCst);
        }
        history.over.store(true, Ordering::SeqCst);
        anyhow::Ok(())
    };
    let gauge = Gauge::default();
    let progress = || history.live.load(Ordering::Relaxed) as f64 / swaps as f64;
    let seen = tokio::select! {
        watched = gauge.watch(&running.host, progress) => {
            watched?;
            anyhow::bail!("the host is gone");
        }
        (seen, swapped) = async {
            tokio::join!(futures_util::future::try_join_all(people), swapping)
        } => {
            swapped?;
            seen?
        }
    };
    let mut result = Swaps {
        tally: Tally::default(),
        swaps,
        lost: 0,
        wrong_version: 0,
        not_freed: 0,
        memory_growth_percent: gauge.growth_percent(),
    };
    for (tally, lost, wrong_version) in seen {
        result.tally.merge(&tally);
        result.lost += lost;
        result.wrong_version += wrong_version;
    }
    let expected = (swaps + 1).saturating_sub(KEPT);
    let freed = running.host.log().wait_for_count(expected, events::PLUGIN_FREED, &[]).await;
    result.not_freed = expected - freed.map_or(0, |lines| lines.len().min(expected));
    Ok(result)
}

async fn click_on(
    running: &Running,
    doors: &Doors,
    history: &History,
    person: usize,
) -> anyhow::Result<(Tally, usize, usize)> {
    let (mut tally, mut lost, mut wrong) = (Tally::default(), 0, 0);
    let mut number = person;
    while !history.over.load(Ordering::SeqCst) {
        let oldest = history.live.load(Ordering::SeqCst);
        let click = doors.click(running, "b", number).await?;
        let newest = history.written.load(Ordering::SeqCst);
        tally.add(&click);
        match click.toast().strip_prefix(MARK).and_then(|digits| digits.parse::<usize>().ok()) {
            None => lost += 1,
            Some(version) if (oldest..=newest).contains(&version) => {}
            Some(_) => wrong += 1,
        }
        number += PEOPLE;
        tokio::time::sleep(PACE).await;
    }
    Ok((tally, lost, wrong))
}

/// Writes a copy of the guest with that number under another name in the folder, and renames it, as a deployment would.
fn replace(file: &Path, original: &[u8], number: usize) -> anyhow::Result<()> {
    let mark = MARK.as_bytes();
    let at = original.windows(mark.len()).position(|window| window == mark);
    let at = at.context("the guest holds no number")? + mark.len();
    let mut next = original.to_vec();
    next[at..at + DIGITS].copy_from_slice(format!("{number:0DIGITS$}").as_bytes());
    let beside = file.with_extension("next");
    std::fs::write(&beside, next)?;
    std::fs::rename(beside, file)?;
    Ok(())
}
