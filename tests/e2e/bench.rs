//! `aviary bench`: its figures are reliable, and it reports when there is nothing to measure.

use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::sender;
use serde_json::Value;

/// Runs `aviary bench` on a guest. Returns its exit code, standard output and standard error.
fn bench(guest: &str, more: &[&str]) -> anyhow::Result<(Option<i32>, String, String)> {
    let folder = tempfile::tempdir()?;
    std::fs::copy(artifacts::guest(guest)?, folder.path().join("plugin.wasm"))?;
    std::fs::write(folder.path().join("click.json"), sender::click("b").to_string())?;
    let mut aviary = Command::new(artifacts::host_binary()?);
    aviary.current_dir(folder.path()).env("XDG_CACHE_HOME", folder.path());
    aviary.args(["bench", "plugin.wasm", "click.json", "--calls", "20"]).args(more);
    let output = aviary.output().context("cannot run aviary")?;
    let [said, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ok((output.status.code(), said, complained))
}

#[test]
fn loading_and_fresh_and_reused_instances_are_measured() -> anyhow::Result<()> {
    let (code, said, complained) = bench("remembers", &["--json"])?;
    ensure!(code == Some(0), "{complained}");
    let report: Value = serde_json::from_str(&said)?;
    for way in ["fresh", "reused"] {
        let number = |name: &str| report[way][name].as_f64().unwrap_or_default();
        ensure!(number("calls_per_second") > 0.0, "{report:#}");
        ensure!(0.0 < number("p50_us") && number("p50_us") <= number("p99_us"), "{report:#}");
        ensure!(number("fuel") > 0.0, "{report:#}");
    }
    let loads = |name: &str| report["cached"][name].as_f64().unwrap_or_default();
    ensure!(0.0 < loads("p50_ms") && loads("p50_ms") <= loads("p99_ms"), "{report:#}");
    let fresh = &report["fresh"];
    ensure!(fresh["fuel"] == fresh["fuel_most"], "a fresh instance always costs the same: {fresh}");
    let (code, said, complained) = bench("as-command", &["--json"])?;
    ensure!(code == Some(0), "{complained}");
    let report: Value = serde_json::from_str(&said)?;
    ensure!(report["reused"].is_null(), "a program begins anew: {report:#}");
    Ok(())
}

#[test]
fn what_does_not_answer_is_not_measured() -> anyhow::Result<()> {
    let (code, said, complained) = bench("trap", &[])?;
    ensure!(code == Some(1) && said.is_empty(), "{said}");
    ensure!(complained.contains("trap"), "{complained}");
    Ok(())
}
