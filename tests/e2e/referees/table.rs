//! The table in `tests/README.md`, written by the test from its own assertions.

use std::fmt::Write as _;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_state::Mutex;

use crate::referees::contestant::Contestant;
use crate::referees::scenario::Scenario;

/// Variable that makes the tests write the tables of the documents instead of comparing them.
pub(crate) const UPDATE: &str = "AVIARY_UPDATE_TABLES";
const PLACE: Place = Place {
    begin: "<!-- referees: begin, written by `AVIARY_UPDATE_TABLES=1 cargo test -p aviary-e2e referees` -->",
    end: "<!-- referees: end -->",
};

/// Place of a table in `tests/README.md`.
pub(crate) struct Place {
    pub(crate) begin: &'static str,
    pub(crate) end: &'static str,
}

impl Place {
    /// Compares the text at that place with the table, or writes it.
    pub(crate) fn holds(&self, table: &str) -> anyhow::Result<()> {
        // Two tests may write tables of the same file at the same time.
        static WRITING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = WRITING.lock();
        let path = artifacts::source_root().join("tests/README.md");
        let text = std::fs::read_to_string(&path)?;
        let (head, rest) =
            text.split_once(self.begin).context("tests/README.md has no place for the table")?;
        let (_, tail) =
            rest.split_once(self.end).context("the table in tests/README.md has no end")?;
        let current = format!("{head}{}\n\n{table}\n{}{tail}", self.begin, self.end);
        if std::env::var_os(UPDATE).is_some() {
            return Ok(std::fs::write(&path, current)?);
        }
        ensure!(
            text == current,
            "the table in tests/README.md is not current: run with {UPDATE}=1"
        );
        Ok(())
    }
}

/// Compares the table with the scenarios, or writes it.
pub(crate) fn check(chapters: &[(&'static str, Vec<Scenario>)]) -> anyhow::Result<()> {
    PLACE.holds(&table(chapters)?)
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
