//! Compares counts with those in the source tree.

use std::path::PathBuf;

use anyhow::Context as _;
use aviary_e2e::artifacts::source_root;
use serde::Deserialize;
use serde::Serialize;

use crate::instructions::Counted;

/// Tolerated increase in percent: work that depends on the clock, and `memcpy` variants of two processors, differ by less.
const TOLERANCE_PERCENT: u64 = 3;

/// Content of the file with the recorded counts.
#[derive(Debug, Deserialize, Serialize)]
struct Recorded {
    tolerance_percent: u64,
    #[serde(flatten)]
    counted: Counted,
}

/// The result of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The counts cannot be compared, for this reason.
    NotComparable(String),
    /// These programs take more instructions than tolerated, or have no record.
    More(Vec<String>),
    /// No program takes more than tolerated; each with its share of the recorded count.
    Good(Vec<String>),
}

/// Compares the counts with the recorded ones.
pub fn compare(counted: &Counted) -> anyhow::Result<Comparison> {
    let file = file();
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Ok(against(counted, &serde_json::from_str(&text)?))
}

/// Replaces the recorded counts.
pub fn record(counted: &Counted) -> anyhow::Result<()> {
    let recorded = Recorded { tolerance_percent: TOLERANCE_PERCENT, counted: counted.clone() };
    Ok(std::fs::write(file(), serde_json::to_string_pretty(&recorded)? + "\n")?)
}

fn file() -> PathBuf {
    source_root().join("tests/versus/instructions.json")
}

fn against(
    counted: &Counted,
    Recorded { tolerance_percent, counted: old }: &Recorded,
) -> Comparison {
    for (what, new, old) in [
        ("profile", &counted.profile, &old.profile),
        ("compiler", &counted.rustc, &old.rustc),
        ("valgrind", &counted.valgrind, &old.valgrind),
    ] {
        if new != old {
            return Comparison::NotComparable(format!("the {what} is {new}, recorded with {old}"));
        }
    }
    let (mut more, mut good) = (Vec::new(), Vec::new());
    for (who, new) in &counted.instructions {
        match old.instructions.get(who) {
            Some(old) if new * 100 <= old * (100 + tolerance_percent) => {
                let percent = new * 100 / old.max(&1);
                good.push(format!("{who}: {new} instructions a click, {percent} % of the recorded"));
            }
            Some(old) => more.push(format!(
                "{who}: {new} instructions a click, {old} are recorded and {tolerance_percent} % more tolerated"
            )),
            None => more.push(format!("{who}: {new} instructions a click, and nothing recorded")),
        }
    }
    if more.is_empty() { Comparison::Good(good) } else { Comparison::More(more) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(instructions: u64) -> Counted {
        Counted {
            profile: "release".to_owned(),
            rustc: "rustc 1".to_owned(),
            valgrind: "valgrind-3".to_owned(),
            instructions: [("native".to_owned(), instructions)].into(),
        }
    }

    #[test]
    fn more_than_is_tolerated_is_a_regression() {
        let recorded = Recorded { tolerance_percent: 3, counted: counted(1000) };
        assert!(matches!(against(&counted(900), &recorded), Comparison::Good(_)));
        assert!(matches!(against(&counted(1030), &recorded), Comparison::Good(_)));
        assert!(matches!(against(&counted(1031), &recorded), Comparison::More(_)));
        let another = Counted { rustc: "rustc 2".to_owned(), ..counted(5000) };
        assert!(matches!(against(&another, &recorded), Comparison::NotComparable(_)));
    }

    #[test]
    fn what_is_recorded_can_be_read() {
        let text = std::fs::read_to_string(file()).unwrap();
        let recorded: Recorded = serde_json::from_str(&text).unwrap();
        assert!(recorded.counted.instructions.values().all(|instructions| *instructions > 0));
        assert!(!recorded.counted.instructions.is_empty());
    }
}
