//! Runs the benchmark at a size that every change can bear: every contestant answers every click rightly, and everything is
//! measured. Speed is not judged: the build is not optimised, and others use the machine.

use anyhow::ensure;
use aviary_e2e::excuse;
use aviary_e2e::referee::Sdk;
use aviary_e2e::referee::install::installed;
use aviary_versus::Size;
use aviary_versus::Spread;
use aviary_versus::instructions;
use aviary_versus::instructions::Clicked;
use aviary_versus::instructions::Counts;

/// Names of results; all others have the same names with other numbers.
const PARTS: [&str; 11] = [
    "engine",
    "languages",
    "change",
    "webhook",
    "interpreted",
    "long_connection",
    "connections",
    "runaway",
    "journal",
    "memory",
    "in_flight",
];
/// A lower bound for any build: a click takes two passes of a cipher and a hash.
const LEAST_INSTRUCTIONS: u64 = 10_000;
/// Results that need the Python SDK and the Node SDK.
const WITH_NODE: [&str; 4] =
    ["webhook_vs_node", "webhook_p99_vs_node", "long_connection_vs_node", "quickjs_vs_node"];
const WITH_PYTHON: [&str; 2] = ["webhook_vs_python", "long_connection_vs_python"];
const ALONE: [&str; 11] = [
    "webhook_vs_native",
    "connections_50_vs_8",
    "runaway_p99_vs_quiet",
    "journal_vs_none",
    "engine_p99_us",
    "engine_calls_per_s",
    "idle_rss_mb",
    "rss_per_1000_calls_mb",
    "cached_start_s",
    "edit_to_live_rust_s",
    "edit_rust_p99_vs_quiet",
];

/// Only checks that counting works. The recorded counts are of an optimised build, which would take as long as all of these
/// tests; `cargo versus instructions` compares with them.
#[tokio::test]
async fn instructions_are_counted() -> anyhow::Result<()> {
    if instructions::valgrind().is_none() {
        excuse::skipped("no valgrind, so no instructions are counted");
        return Ok(());
    }
    let counted = instructions::count(&[Counts::Native], Clicked::SMALL).await?;
    let least = counted.of(Counts::Native).is_some_and(|each| each > LEAST_INSTRUCTIONS);
    ensure!(least, "a click is verified, decrypted and parsed: {counted:?}");
    Ok(())
}

#[tokio::test]
async fn everybody_answers_and_everything_is_measured() -> anyhow::Result<()> {
    let report = aviary_versus::run(Size::small(), &PARTS).await?;
    let printed = serde_json::to_string_pretty(&report)?;
    let mut wanted = ALONE.to_vec();
    if installed(Sdk::Node)?.is_some() {
        wanted.extend(WITH_NODE);
    }
    if installed(Sdk::Python)?.is_some() {
        wanted.extend(WITH_PYTHON);
    }
    ensure!(report.languages() == 1, "{printed}");
    for name in wanted {
        let sound = report.spread(name).is_some_and(Spread::is_sound);
        ensure!(sound, "{name} was not measured: {printed}");
    }
    Ok(())
}
