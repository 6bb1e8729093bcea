//! What a change costs: a host that starts with everything compiled before, and a plugin that is edited while people
//! click on another one. Host and generator share all cores: a host has a thread that compiles for every two of them.

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

/// Everything about changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// From its first instruction until all plugins are live and a click is answered, in seconds.
    pub(crate) cached_start_s: Option<Spread>,
    /// For each toolchain that this machine is not excused from.
    pub(crate) edits: Vec<Edit>,
}

/// Measures all of it.
pub(crate) async fn run(size: Size) -> anyhow::Result<Changes> {
    let cached_start_s = start::time(size).await?;
    let mut edits = Vec::new();
    for toolchain in size.edited {
        edits.extend(edit::measure(*toolchain, size).await?);
    }
    Ok(Changes { cached_start_s, edits })
}

/// Has everything that is in the plan compiled, and kept in `cache`.
async fn compile_into(cache: &Path, plan: &Plan, plugins: usize) -> anyhow::Result<()> {
    let level = "info,aviary::plugin::compilers=debug";
    let plan = with_cache(plan, cache).set("log", "level", level);
    let mut host = contestant::aviary(&plan, Cores::Shared).await?;
    let is_kept = |line: &serde_json::Value| line["message"] == events::CODE_KEPT.text();
    host.process.lines(plugins, |line| is_kept(line).then_some(())).await?;
    Ok(())
}

fn with_cache(plan: &Plan, cache: &Path) -> Plan {
    plan.clone().set("cache", "path", json!(cache.display().to_string()))
}
