//! Measures the engine's own share of a callback: store, fresh instance, arguments in, fuel, reply out.

use std::time::Instant;

use aviary::Drill;
use aviary_e2e::artifacts;

use crate::aviary::GUEST;
use crate::click::Clicks;
use crate::load::percentile;
use crate::size::Size;
use crate::spread::Spread;

/// Threads that call the plugin; the target in the documents is for two.
const THREADS: usize = 2;

/// Returns the 99th percentile of a call in microseconds, and calls per second on both threads.
pub(crate) async fn time(size: Size) -> anyhow::Result<Option<(Spread, Spread)>> {
    let click = Clicks::on("ok").next().body.into();
    aviary::compile_with(artifacts::host_binary()?);
    let drill = Drill::load(&artifacts::guest(GUEST)?, click, THREADS).await?;
    // A warm-up as long as a run, like that of the other measurements.
    drill.run(size.engine_calls).await?;
    let (mut p99, mut per_second) = (Vec::new(), Vec::new());
    for _ in 0..size.runs {
        let began = Instant::now();
        let mut taken = drill.run(size.engine_calls).await?;
        per_second.push(taken.len() as f64 / began.elapsed().as_secs_f64());
        taken.sort_unstable();
        p99.push(percentile(&taken, 99));
    }
    Ok(Spread::of(p99).zip(Spread::of(per_second)))
}
