//! `aviary demo`: the simulated platform and the host in one process on loopback, every callback type through every
//! door that carries it, a swap while clicks go on, and a plugin that spins for ever.

mod leave;
mod open;
mod runaway;
mod scenario;
mod swap;
mod table;

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use crate::demo::runaway::Runaway;
use crate::demo::scenario::ScenarioOutcome;
use crate::demo::swap::Swap;
use crate::guest_build;
use crate::stage::Stage;
use crate::telemetry;
use crate::telemetry::LogConfig;
use crate::telemetry::LogFormat;

/// Folder of the example plugins in the tree that this program was built from.
const PLUGINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins");

/// The demo's results, as `--json` prints them.
#[derive(Debug, Serialize)]
struct DemoReport {
    ok: bool,
    scenarios: Vec<ScenarioOutcome>,
    swap: Swap,
    runaway: Runaway,
}

/// Shows the page on which a person clicks, until `stop`. Returns `false` if something did not finish in time.
pub async fn open(stop: impl Future<Output = ()>) -> anyhow::Result<bool> {
    open::play(&example_plugins().await?, stop).await
}

async fn example_plugins() -> anyhow::Result<Vec<PathBuf>> {
    table::progress("building the example plugins (the first time takes a minute)");
    let target = guest_build::build_folder()?.join("guests");
    let mut files = guest_build::build(Path::new(PLUGINS), &target).await?;
    files.extend(files.iter().filter_map(|component| sidecar(component)).collect::<Vec<_>>());
    telemetry::init(&LogConfig { format: LogFormat::Text, level: "error".to_owned() })?;
    Ok(files)
}

/// Returns the operator's sidecar file of an example that needs one: `name.toml` in its folder.
fn sidecar(component: &Path) -> Option<PathBuf> {
    let name = component.file_stem()?.to_str()?;
    let file = Path::new(PLUGINS).join(name.replace('_', "-")).join(format!("{name}.toml"));
    file.is_file().then_some(file)
}

/// Runs the demo, prints what happened, and returns true if all of it was as it should be.
pub async fn run(json: bool) -> anyhow::Result<bool> {
    let components = example_plugins().await?;
    table::progress("starting the simulated platform and the host on loopback");
    let mut stage = Stage::set(&components).await.context("the demo could not be set up")?;
    table::progress("sending every kind of callback through every door");
    let mut scenarios = scenario::play_all(&mut stage).await?;
    scenarios.extend(leave::play(&mut stage).await?);
    table::progress("replacing a plugin while clicks go on");
    let swap = swap::play(&mut stage).await?;
    table::progress("letting a plugin spin for ever");
    let runaway = runaway::play(&mut stage).await?;
    let stopped = stage.stop().await;
    let ok = stopped && swap.ok() && runaway.ok && scenarios.iter().all(|outcome| outcome.ok);
    let report = DemoReport { ok, scenarios, swap, runaway };
    if json {
        table::print_json(&report)?;
    } else {
        table::print(&report);
    }
    Ok(ok)
}
