//! Checks the cards in the files that are named, or one with a mistake:
//! `cargo run --package lark-card --example check_cards -- card.json`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::process::ExitCode;

use lark_card::check_file;

const WITH_A_MISTAKE: &str = r#"{ "schema": "2.0", "body": { "elements": [{ "tag": "buton" }] } }"#;

fn main() -> std::io::Result<ExitCode> {
    let mut cards = Vec::new();
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        cards.push((path, text));
    }
    if cards.is_empty() {
        cards.push(("an example".to_owned(), WITH_A_MISTAKE.to_owned()));
    }
    let mut is_sound = true;
    for (name, text) in cards {
        let report = check_file(&text);
        is_sound &= report.faults.is_empty();
        for fault in report.faults.found().iter().chain(report.faults.warnings()) {
            println!("{name}: {fault} [{}, {}]", fault.rule.as_str(), fault.severity.as_str());
        }
        if report.faults.beyond() > 0 {
            println!("{name}: and {} more", report.faults.beyond());
        }
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
