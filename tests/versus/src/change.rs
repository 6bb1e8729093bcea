//! Measures the cost of a change: the start of a host with all code in its cache, and an edit of one plugin while people click on
//! another one. Host and generator share all cores: a host has one compiler thread for every two of them.

mod edit;
mod start;

use std::path::Path;

use aviary::telemetry::events;
use serde_json::json;

use crate::aviary::Plan;
use crate::contestant;
use crate::cores::Cores;
use crate::size::Size;
use crate::spread::Spread;

pub(crate) use crate::change::edit::Edit;

/// Results for all changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// Seconds from the host's first instruction until all plugins are live and a click is answered.
    pub(crate) cached_start_s: Option<Spread>,
    /// One result for each toolchain that this machine is not excused from.
    pub(crate) edits: Vec<Edit>,
}

/// Measures starts and edits.
pub(crate) async fn run(size: Size) -> anyhow::Result<Changes> {
    let cached_start_s = start::time(size).await?;
    let mut edits = Vec::new();
    for toolchain in size.edited {
        edits.extend(edit::measure(*toolchain, size).await?);
    }
    Ok(Changes { cached_start_s, edits })
}

/// Compiles every plugin of the plan and keeps the code in `cache`.
async fn compile_into(cache: &Path, plan: &Plan, plugins: usize) -> anyhow::Result<()> {
    let level = "info,aviary::runtime::compiler_pool=debug";
    let plan = with_cache(plan, cache).set("log", "level", level);
    let mut host = contestant::aviary(&plan, Cores::Shared).await?;
    let is_kept = |line: &serde_json::Value| line["message"] == events::CODE_KEPT.text();
    host.process.lines(plugins, |line| is_kept(line).then_some(())).await?;
    Ok(())
}

fn with_cache(plan: &Plan, cache: &Path) -> Plan {
    plan.clone().set("cache", "path", json!(cache.display().to_string()))
}
