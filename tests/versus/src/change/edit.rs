//! Edits one plugin while people click on another one. Measures the time from closing its new file until it is live, and the
//! latency of the others meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::aviary::Plan;
use crate::aviary::route;
use crate::change::compile_into;
use crate::change::with_cache;
use crate::click::Clicks;
use crate::contestant;
use crate::contestant::Contestant;
use crate::cores::Cores;
use crate::lane::Lane;
use crate::load::percentile;
use crate::size::Size;
use crate::spread::Spread;
use crate::tail::Tail;
use crate::toolchain::Toolchain;
use crate::toolchain::Version;

/// The plugin that is edited.
const PLUGIN: &str = "edited";
/// Users who click on the other plugin, and the pace of each: two thousand clicks a second leave most of a core to the compiler,
/// and give several samples above the 99th percentile in the shortest edit.
const USERS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(4);
/// Time between two polls of the log.
const LOOK: Duration = Duration::from_millis(2);
/// An edit that takes this long is a failure.
const PATIENCE: Duration = Duration::from_secs(300);

/// Results of an edit in one language.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Edit {
    pub(crate) toolchain: Toolchain,
    pub(crate) component_bytes: usize,
    pub(crate) live_s: Spread,
    pub(crate) quiet_p99_us: Spread,
    pub(crate) meanwhile_p99_us: Spread,
    pub(crate) p99_vs_quiet: Spread,
}

/// Returns `None` if this machine is excused from the language's tools. Each run starts a new host whose cache has the code of
/// the old version and not of the new one.
pub(super) async fn measure(toolchain: Toolchain, size: Size) -> anyhow::Result<Option<Edit>> {
    let Some(before) = toolchain.component(Version::Original)? else { return Ok(None) };
    let Some(after) = toolchain.component(Version::Edited)? else { return Ok(None) };
    ensure!(before != after, "the edit of {toolchain:?} changes nothing");
    let plan = Plan::usual()?.with(PLUGIN, before, json!({ "route": route(PLUGIN) }));
    let cache = tempfile::tempdir()?;
    compile_into(cache.path(), &plan, 2).await?;
    let (mut live, mut quiet, mut meanwhile) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.runs {
        let own = tempfile::tempdir()?;
        copy(cache.path(), own.path())?;
        let host = contestant::aviary(&with_cache(&plan, own.path()), Cores::Shared).await?;
        clicks_while(&host, tokio::time::sleep(size.warm_up)).await?;
        let (taken, ()) = clicks_while(&host, tokio::time::sleep(size.run)).await?;
        quiet.push(percentile(&taken, 99));
        let (taken, took) = clicks_while(&host, put(&host, &after)).await?;
        meanwhile.push(percentile(&taken, 99));
        live.push(took?.as_secs_f64());
    }
    let ratios = meanwhile.iter().zip(&quiet).map(|(one, other)| one / other).collect();
    let spread = |values| Spread::of(values).context("there was a run");
    Ok(Some(Edit {
        toolchain,
        component_bytes: after.len(),
        live_s: spread(live)?,
        quiet_p99_us: spread(quiet)?,
        meanwhile_p99_us: spread(meanwhile)?,
        p99_vs_quiet: spread(ratios)?,
    }))
}

/// Overwrites the plugin, and returns the time until the new version was live.
async fn put(host: &Contestant, component: &[u8]) -> anyhow::Result<Duration> {
    let mut log = Tail::of(&host.process.path("log"))?;
    std::fs::write(host.process.path(&format!("plugins/{PLUGIN}.wasm")), component)?;
    let closed = Instant::now();
    while !log.has_said(events::PLUGIN_LIVE.text())? {
        ensure!(closed.elapsed() < PATIENCE, "not live: {}", host.process.last_words());
        tokio::time::sleep(LOOK).await;
    }
    Ok(closed.elapsed())
}

/// Clicks at a steady pace while `happens` runs, and returns the sorted latencies. A user waits for one answer before the next
/// click.
async fn clicks_while<T>(
    host: &Contestant,
    happens: impl Future<Output = T>,
) -> anyhow::Result<(Vec<Duration>, T)> {
    let clicks = Arc::new(Clicks::on("ok"));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut users = JoinSet::new();
    for number in 0..USERS {
        let mut user = Lane::open(&host.target, Arc::clone(&clicks)).await?;
        let is_over = Arc::clone(&is_over);
        users.spawn(async move {
            let first = tokio::time::Instant::now() + PAUSE * number / USERS;
            let mut turns = tokio::time::interval_at(first, PAUSE);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut taken = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                turns.tick().await;
                taken.push(user.click().await?);
            }
            anyhow::Ok(taken)
        });
    }
    let happened = happens.await;
    is_over.store(true, Ordering::Relaxed);
    let mut taken = Vec::new();
    while let Some(user) = users.join_next().await {
        taken.extend(user?.with_context(|| host.process.last_words())?);
    }
    taken.sort_unstable();
    host.process.forget_log()?;
    Ok((taken, happened))
}

/// Copies a cache folder, which has no subfolders.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
