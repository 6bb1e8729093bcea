//! `aviary card check`: checks whether the platform would take a card, without asking it. For people and for build pipelines.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::Subcommand;
use lark_card::CardVersion;
use lark_card::FileReport;
use lark_card::check_file;
use serde::Serialize;

use crate::cli::exit::EXIT_USAGE;
use crate::small_file;
use crate::terminal;

/// Largest file that is checked, in bytes. The platform takes cards of 30 KB.
const MAX_CARD_BYTES: u64 = 4 << 20;

/// Check cards.
#[derive(Debug, Subcommand)]
pub(super) enum CardCommand {
    /// Check a card against the platform's documented rules, without asking the platform.
    #[command(
        after_help = "Example:\n  aviary card check card.json\n\nA file holds card JSON 1.0 or 2.0, or a card as an answer has it: {\"type\": \"raw\", \"data\": {…}} or\n{\"type\": \"template\", \"data\": {\"template_id\": …}}. Exit codes: 0 nothing is wrong, 1 something is, 64 a file cannot be read."
    )]
    Check(CardCheckArgs),
}

#[derive(Debug, Args)]
pub(super) struct CardCheckArgs {
    /// Files with one card each.
    #[arg(required = true)]
    cards: Vec<PathBuf>,
    /// Print one JSON object for each file instead of text.
    #[arg(long)]
    json: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct CardLine<'a> {
    card: &'a Path,
    ok: bool,
    version: Option<&'static str>,
    faults: Vec<LineFault<'a>>,
    /// Number of further faults that are not listed.
    beyond: usize,
}

#[derive(Serialize)]
struct LineFault<'a> {
    path: &'a str,
    rule: &'static str,
    words: &'a str,
}

pub(super) fn run(command: CardCommand) -> ExitCode {
    let CardCommand::Check(CardCheckArgs { cards, json }) = command;
    let mut texts = Vec::new();
    for card in &cards {
        match small_file::read_text(card, MAX_CARD_BYTES) {
            Ok(text) => texts.push((card, text)),
            Err(error) => {
                terminal::notice!("aviary: {error}");
                return ExitCode::from(EXIT_USAGE);
            }
        }
    }
    let mut sound = true;
    for (card, text) in texts {
        let report = check_file(&text);
        sound &= report.faults.is_empty();
        if json {
            print_json(card, &report);
        } else {
            print_text(card, &report);
        }
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_json(card: &Path, report: &FileReport) {
    let line = CardLine {
        card,
        ok: report.faults.is_empty(),
        version: report.version.map(CardVersion::as_str),
        faults: report
            .faults
            .found()
            .iter()
            .map(|fault| LineFault {
                path: &fault.path,
                rule: fault.rule.as_str(),
                words: &fault.words,
            })
            .collect(),
        beyond: report.faults.beyond(),
    };
    match serde_json::to_string(&line) {
        Ok(line) => terminal::result!("{line}"),
        // A path that is not UTF-8 cannot be written as JSON.
        Err(error) => terminal::notice!("aviary: {}: {error}", card.display()),
    }
}

fn print_text(card: &Path, report: &FileReport) {
    let what = report.version.map_or("template", |version| match version {
        CardVersion::V1 => "card JSON 1.0",
        CardVersion::V2 => "card JSON 2.0",
    });
    if report.faults.is_empty() {
        terminal::result!("{}: {what}, nothing wrong", card.display());
        return;
    }
    for fault in report.faults.found() {
        terminal::result!("{}: {fault} [{}]", card.display(), fault.rule.as_str());
    }
    if report.faults.beyond() > 0 {
        terminal::result!("{}: and {} more", card.display(), report.faults.beyond());
    }
}
