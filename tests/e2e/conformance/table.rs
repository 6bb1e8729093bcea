//! The table in `tests/README.md`, written by the test from its own assertions.

use std::fmt::Write as _;

use crate::conformance::LANGUAGES;
use crate::conformance::cell;
use crate::referees::table::Place;

const PLACE: Place = Place {
    begin: "<!-- conformance: begin, written by `AVIARY_UPDATE_TABLES=1 cargo test -p aviary-e2e conformance` -->",
    end: "<!-- conformance: end -->",
};

/// Compares the table with the cells, or writes it.
pub(crate) fn check() -> anyhow::Result<()> {
    PLACE.holds(&table()?)
}

fn table() -> anyhow::Result<String> {
    let mut text = format!("| | {} | what is wrong |\n", LANGUAGES.join(" | "));
    writeln!(text, "|---|{}---|", "---|".repeat(LANGUAGES.len()))?;
    for cell in cell::all() {
        write!(text, "| {} |", cell.name)?;
        for language in LANGUAGES {
            let works = if cell.fault(language).is_none() { "yes" } else { "**no**" };
            write!(text, " {works} |")?;
        }
        let mut faults: Vec<_> =
            LANGUAGES.iter().filter_map(|language| cell.fault(language)).collect();
        faults.dedup();
        writeln!(text, " {} |", faults.join("; "))?;
    }
    Ok(text)
}
