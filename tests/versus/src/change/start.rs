//! Measures the start of a host with a full folder and all code in its cache.

use std::sync::Arc;

use anyhow::ensure;

use crate::aviary::Plan;
use crate::aviary::is_live;
use crate::change::compile_into;
use crate::change::with_cache;
use crate::click::Clicks;
use crate::contestant;
use crate::cores::Cores;
use crate::lane::Lane;
use crate::size::Size;
use crate::spread::Spread;

/// Seconds from a host's first instruction until every plugin is live and a click has its answer.
pub(super) async fn time(size: Size) -> anyhow::Result<Option<Spread>> {
    let cache = tempfile::tempdir()?;
    let plan = Plan::usual()?.with_further(size.started_plugins - 1)?;
    compile_into(cache.path(), &plan, size.started_plugins).await?;
    let plan = with_cache(&plan, cache.path());
    let mut taken = Vec::new();
    for _ in 0..size.runs {
        let mut host = contestant::aviary(&plan, Cores::Shared).await?;
        let mut user = Lane::open(&host.target, Arc::new(Clicks::on("ok"))).await?;
        user.click().await?;
        taken.push(host.process.started().elapsed().as_secs_f64());
        let code = |line: &serde_json::Value| is_live(line).then(|| line["code"].clone());
        let codes = host.process.lines(size.started_plugins, code).await?;
        ensure!(codes.iter().all(|code| code == "cached"), "compiled again: {codes:?}");
    }
    Ok(Spread::of(taken))
}
