//! Measures the memory of an idle host.

use std::time::Duration;

use crate::aviary::Plan;
use crate::contestant;
use crate::cores::Cores;
use crate::size::Size;
use crate::spread::Spread;

/// Plugins of the idle host.
const FEW: usize = 4;
/// Time until the memory that compiling needed has been given back.
pub(crate) const SETTLE: Duration = Duration::from_millis(500);
pub(crate) const MEGABYTE: f64 = 1e6;

/// Returns the memory of a host with a few plugins, and of each further plugin.
pub(crate) async fn weigh(cores: Cores, size: Size) -> anyhow::Result<Option<(Spread, Spread)>> {
    let (mut idle, mut each) = (Vec::new(), Vec::new());
    for _ in 0..size.runs {
        let few = resident(FEW, cores).await?;
        let many = resident(FEW + size.weighed_plugins, cores).await?;
        idle.push(few);
        each.push((many - few) / size.weighed_plugins as f64);
    }
    Ok(Spread::of(idle).zip(Spread::of(each)))
}

async fn resident(plugins: usize, cores: Cores) -> anyhow::Result<f64> {
    let plan = Plan::usual()?.with_further(plugins - 1)?;
    let host = contestant::aviary(&plan, cores).await?;
    tokio::time::sleep(SETTLE).await;
    Ok(host.process.memory()? as f64 / MEGABYTE)
}
