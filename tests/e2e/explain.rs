//! `aviary explain`: the platform's numbers in words.

use std::process::Output;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use serde_json::Value;

/// Documented or observed numbers: the place where each occurs, and the number.
const KNOWN: [(&str, &[i64]); 6] = [
    (
        "a user's client",
        &[
            108_002, 200_080, 200_340, 200_341, 200_342, 200_343, 200_345, 200_346, 200_347,
            200_530, 200_671, 200_672, 200_673, 200_830, 300_000,
        ],
    ),
    (
        "a card update",
        &[
            10_002, 11_311, 100_000, 100_030, 200_000, 200_310, 200_320, 300_020, 300_030, 300_040,
            300_090,
        ],
    ),
    (
        "a change of a message",
        &[11_310, 100_290, 200_570, 200_621, 200_861, 230_020, 230_025, 230_031, 230_099],
    ),
    ("a card entity", &[200_860, 300_301, 300_305, 300_317]),
    (
        "a connection",
        &[1, 403, 514, 1_000_040_343, 1_000_040_344, 1_000_040_345, 1_000_040_350, 1_000_040_351],
    ),
    (
        "the server API",
        &[
            10_003, 10_012, 10_014, 99_991_400, 99_991_661, 99_991_663, 99_991_664, 99_991_671,
            99_991_672,
        ],
    ),
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
    for (met_in, codes) in KNOWN {
        for code in codes {
            ensure!(known.contains(code), "{code}, of {met_in}, is not explained");
        }
    }
    Ok(())
}
