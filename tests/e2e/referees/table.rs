//! The table in `tests/README.md`: written by the test, from what the test asserts.

use std::fmt::Write as _;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;

use crate::referees::contestant::Contestant;
use crate::referees::scenario::Scenario;

/// If set, the table is written and not compared.
const UPDATE: &str = "AVIARY_UPDATE_TABLES";
const BEGIN: &str = "<!-- referees: begin, written by `AVIARY_UPDATE_TABLES=1 cargo test -p aviary-e2e referees` -->";
const END: &str = "<!-- referees: end -->";

/// Compares the table with what the scenarios say, or writes it.
pub(crate) fn check(chapters: &[(&'static str, Vec<Scenario>)]) -> anyhow::Result<()> {
    let path = artifacts::source_root().join("tests/README.md");
    let text = std::fs::read_to_string(&path)?;
    let (head, rest) =
        text.split_once(BEGIN).context("tests/README.md has no place for the table")?;
    let (_, tail) = rest.split_once(END).context("the table in tests/README.md has no end")?;
    let current = format!("{head}{BEGIN}\n\n{}\n{END}{tail}", table(chapters)?);
    if std::env::var_os(UPDATE).is_some() {
        return Ok(std::fs::write(&path, current)?);
    }
    ensure!(text == current, "the table in tests/README.md is not current: run with {UPDATE}=1");
    Ok(())
}

fn table(chapters: &[(&'static str, Vec<Scenario>)]) -> anyhow::Result<String> {
    let mut text = String::new();
    for (index, (title, scenarios)) in chapters.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        writeln!(text, "{gap}### {title}\n")?;
        writeln!(
            text,
            "| scenario | Aviary | Python SDK | Node SDK | what is wrong with the SDK |"
        )?;
        writeln!(text, "|---|---|---|---|---|")?;
        for scenario in scenarios {
            let cell = |who| scenario.expected(who).unwrap_or("–");
            writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                scenario.name(),
                cell(Contestant::Aviary),
                cell(Contestant::Python),
                cell(Contestant::Node),
                scenario.named_fault().unwrap_or_default()
            )?;
        }
    }
    Ok(text)
}
