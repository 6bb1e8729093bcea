//! `aviary explain`: the platform's numbers in words.

use std::process::Output;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use serde_json::Value;

/// What the simulated platform shows users, and what stops a connection.
const MET_BY_USERS: [i64; 14] = [
    108_002,
    200_080,
    200_340,
    200_341,
    200_342,
    200_530,
    200_671,
    200_672,
    200_673,
    200_830,
    403,
    514,
    1_000_040_345,
    1_000_040_350,
];

fn explain(arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = std::process::Command::new(artifacts::host_binary()?);
    command.arg("explain").args(arguments).env("LC_ALL", "C.UTF-8").output().context("cannot run")
}

fn stdout(output: &Output) -> anyhow::Result<&str> {
    ensure!(output.status.success(), "{output:?}");
    Ok(std::str::from_utf8(&output.stdout)?)
}

#[test]
fn a_number_is_explained_in_the_language_of_the_reader() -> anyhow::Result<()> {
    let english = explain(&["200341"])?;
    ensure!(stdout(&english)?.contains("within three seconds"), "{english:?}");
    let chinese = explain(&["--language", "zh", "200341"])?;
    ensure!(stdout(&chinese)?.contains("三秒"), "{chinese:?}");
    let unknown = explain(&["424242"])?;
    ensure!(unknown.status.code() == Some(1) && unknown.stdout.is_empty(), "{unknown:?}");
    let no_number = explain(&["what"])?;
    ensure!(no_number.status.code() == Some(64), "{no_number:?}");
    Ok(())
}

#[test]
fn whatever_a_user_may_meet_is_known() -> anyhow::Result<()> {
    let all = explain(&["--json"])?;
    let known: Vec<i64> = stdout(&all)?
        .lines()
        .map(|line| Ok(serde_json::from_str::<Value>(line)?["code"].as_i64().unwrap_or_default()))
        .collect::<anyhow::Result<_>>()?;
    for code in MET_BY_USERS {
        ensure!(known.contains(&code), "{code} is not explained");
    }
    Ok(())
}
