//! Compares the host with the published SDKs: the same handler, the same clicks, the same core, in turns. The result is one
//! [`Report`]; it does not judge the figures.

mod aviary;
mod change;
pub mod click;
mod contestant;
mod cores;
mod engine;
mod in_flight;
pub mod instructions;
mod journal;
mod languages;
mod lane;
mod load;
mod machine;
mod memory;
mod process;
mod report;
mod row;
mod runaway;
mod scenarios;
mod size;
mod spread;
mod table;
mod tail;
mod toolchain;

use std::time::Instant;

use aviary_e2e::artifacts;

pub use crate::report::Report;
pub use crate::size::Size;
pub use crate::spread::Spread;
pub use crate::table::markdown;
pub use crate::table::write_readmes;

use crate::cores::Cores;
use crate::report::Measured;

/// Names of the parts.
pub const PARTS: [&str; 13] = [
    "engine",
    "languages",
    "change",
    "webhook",
    "interpreted",
    "long_connection",
    "connections",
    "plugins",
    "payloads",
    "runaway",
    "journal",
    "memory",
    "in_flight",
];

/// Parts that use both cores. They run first, before the cores are assigned.
const WITH_BOTH_CORES: [&str; 3] = ["engine", "languages", "change"];

/// Runs the parts of these names, one after the other. Requires a runtime of one thread, because the generator has to stay on its
/// core.
pub async fn run(size: Size, parts: &[&str]) -> anyhow::Result<Report> {
    let began = Instant::now();
    progress(began, "building the host and the guests");
    artifacts::host_binary()?;
    artifacts::native_ceiling()?;
    artifacts::guest(aviary::GUEST)?;
    let mut measured = Measured::default();
    let (both, apart): (Vec<&str>, _) =
        parts.iter().partition(|part| WITH_BOTH_CORES.contains(part));
    for part in both {
        progress(began, part);
        measure(part, Cores::Shared, size, &mut measured).await?;
    }
    let cores = Cores::take()?;
    let machine = machine::Machine::look(cores);
    for part in apart {
        progress(began, part);
        measure(part, cores, size, &mut measured).await?;
    }
    progress(began, "done");
    Ok(Report::new(machine, measured, size))
}

async fn measure(
    part: &str,
    cores: Cores,
    size: Size,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let Measured { rows, figures, languages, changes } = measured;
    match part {
        "engine" => {
            if let Some((p99, per_second)) = engine::time(size).await? {
                figures.extend([("engine_p99_us", p99), ("engine_calls_per_s", per_second)]);
            }
        }
        "languages" => *languages = languages::measure(size)?,
        "change" => *changes = change::run(size).await?,
        "webhook" => rows.extend(scenarios::webhook(cores, size).await?),
        "interpreted" => rows.extend(scenarios::interpreted(cores, size).await?),
        "long_connection" => rows.extend(scenarios::long_connection(cores, size).await?),
        "connections" => rows.extend(scenarios::connections(cores, size).await?),
        "plugins" => rows.extend(scenarios::plugins(cores, size).await?),
        "payloads" => rows.extend(scenarios::payloads(cores, size).await?),
        "runaway" => rows.extend(runaway::run(cores, size).await?),
        "journal" => rows.extend(journal::run(cores, size).await?),
        "memory" => {
            if let Some((idle, each)) = memory::weigh(cores, size).await? {
                figures.extend([("idle_rss_mb", idle), ("rss_per_plugin_mb", each)]);
            }
        }
        "in_flight" => {
            let weighed = in_flight::weigh(cores, size).await?;
            figures.extend(weighed.map(|weighed| ("rss_per_1000_calls_mb", weighed)));
        }
        other => anyhow::bail!("there is no part {other:?}; there are {PARTS:?}"),
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a person waits")]
fn progress(began: Instant, words: &str) {
    eprintln!("versus: {:>4} s: {words}", began.elapsed().as_secs());
}
