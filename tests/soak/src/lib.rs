//! The host under attack, at length: the real binary, the simulated platform, and guests that do their worst. The result is one
//! [`Report`]; `e2e/` tests what is right for a single callback.

mod clicks;
mod deferred;
mod hostile;
mod kept;
mod memory;
mod report;
mod runaways;
mod siege;
mod swaps;

use std::time::Instant;

pub use crate::report::Report;
pub use crate::report::Size;
pub use crate::siege::SiegeReport;
pub use crate::siege::SiegeSize;

/// Log filter of the hosts: only open doors and live plugins. With a line or more for each callback, the process that reads the
/// log would limit the test.
const QUIET: &str = "off,aviary::app=info,aviary::folder=info,aviary::plugin=info";

/// Runs every part, one after the other, each on a host of its own.
pub async fn run(size: Size) -> anyhow::Result<Report> {
    let began = Instant::now();
    let progress = |words: &str| progress(began, words);
    progress("building the host and the guests");
    aviary_e2e::artifacts::host_binary()?;
    aviary_e2e::artifacts::guest("numbered")?;
    progress(&format!("{} callbacks, every other one to a hostile plugin", size.callbacks));
    let hostile = hostile::run(size.callbacks).await?;
    progress(&format!("8 plugins that spin for ever, {} s", 2 * size.runaway_seconds));
    let runaways = runaways::run(size.runaway_seconds).await?;
    progress(&format!("{} swaps while people click", size.swaps));
    let swaps = swaps::run(size.swaps).await?;
    progress(&format!("{} deferred cards, and {} over a kill", size.deferred, size.killed));
    let deferred = deferred::run(size.deferred, size.killed).await?;
    progress(&format!("{} kills while plugins write", size.store_kills));
    let kept = kept::run(size.store_kills).await?;
    progress("done");
    Ok(Report::new(&hostile, &runaways, &swaps, &deferred, &kept))
}

/// Runs every attack at once against one host that healthy people use.
pub async fn besiege(size: SiegeSize) -> anyhow::Result<SiegeReport> {
    let began = Instant::now();
    progress(began, "building the host and the guests");
    aviary_e2e::artifacts::host_binary()?;
    aviary_e2e::artifacts::guest("numbered")?;
    let seconds = (size.quiet + size.attack).as_secs();
    progress(began, &format!("every attack at once, {seconds} s"));
    let report = siege::run(size).await?;
    progress(began, "done");
    Ok(report)
}

#[expect(clippy::print_stderr, reason = "a person waits")]
fn progress(began: Instant, words: &str) {
    eprintln!("soak: {:>4} s: {words}", began.elapsed().as_secs());
}
