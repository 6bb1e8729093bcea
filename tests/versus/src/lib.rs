//! The host against the published SDKs: the same handler, the same clicks, the same core, in turns. What is measured is
//! one [`Report`]; it says nothing of whether that is enough.

mod click;
mod contestant;
mod cores;
mod engine;
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

use std::time::Instant;

use aviary_e2e::artifacts;

pub use crate::report::Report;
pub use crate::size::Size;
pub use crate::spread::Spread;
pub use crate::table::markdown;
pub use crate::table::write_readmes;

use crate::languages::Languages;

/// The parts by name, the first two of which are always run first.
pub const PARTS: [&str; 9] = [
    "engine",
    "languages",
    "webhook",
    "long_connection",
    "connections",
    "plugins",
    "payloads",
    "runaway",
    "memory",
];

/// Those that need no core for a generator.
const WITH_BOTH_CORES: [&str; 2] = ["engine", "languages"];

/// Runs the parts of these names, one after the other. Wants a runtime of one thread: the generator is to stay on its
/// core.
pub async fn run(size: Size, parts: &[&str]) -> anyhow::Result<Report> {
    let began = Instant::now();
    progress(began, "building the host and the guests");
    artifacts::host_binary()?;
    artifacts::native_ceiling()?;
    artifacts::guest(contestant::GUEST)?;
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    let mut measured = Vec::new();
    // These two have both cores: they go before those are shared out.
    if parts.contains(&"engine") {
        progress(began, "engine");
        if let Some((p99, per_second)) = engine::time(size).await? {
            figures.extend([("engine_p99_us", p99), ("engine_calls_per_s", per_second)]);
        }
    }
    if parts.contains(&"languages") {
        progress(began, "languages");
        measured = languages::measure(size)?;
    }
    let cores = cores::Cores::take()?;
    let machine = machine::Machine::look(cores);
    for part in parts.iter().filter(|part| !WITH_BOTH_CORES.contains(part)) {
        progress(began, part);
        match *part {
            "webhook" => rows.extend(scenarios::webhook(cores, size).await?),
            "long_connection" => rows.extend(scenarios::long_connection(cores, size).await?),
            "connections" => rows.extend(scenarios::connections(cores, size).await?),
            "plugins" => rows.extend(scenarios::plugins(cores, size).await?),
            "payloads" => rows.extend(scenarios::payloads(cores, size).await?),
            "runaway" => rows.extend(runaway::run(cores, size).await?),
            "memory" => {
                if let Some((idle, each)) = memory::weigh(cores, size).await? {
                    figures.extend([("idle_rss_mb", idle), ("rss_per_plugin_mb", each)]);
                }
            }
            other => anyhow::bail!("there is no part {other:?}; there are {PARTS:?}"),
        }
    }
    progress(began, "done");
    let languages = Languages { measured, calls: size.language_calls };
    Ok(Report::new(machine, rows, figures, languages))
}

#[expect(clippy::print_stderr, reason = "a person waits")]
fn progress(began: Instant, words: &str) {
    eprintln!("versus: {:>4} s: {words}", began.elapsed().as_secs());
}
