//! `aviary card`: checks whether the platform would take a card, without asking it. For people, editors and build pipelines.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::Subcommand;
use lark_card::CardVersion;
use lark_card::FileReport;
use lark_card::Wrapper;
use lark_card::check_file;
use lark_card::fault::Fault;
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
    #[command(after_help = r#"Example:
  aviary card check card.json

A file holds card JSON 1.0 or 2.0, or a card inside something, which is named in the output: a message ({"msg_type": "interactive",
"card": …}, or the card as text in "content"), an answer to a callback, a card entity, a file that the card builder exports.
A fault is certain if the platform refuses the card for it. Otherwise it is a warning: documented as wrong, while its effect
is unknown. Exit codes: 0 nothing is certainly wrong, 1 something is (with --strict: or likely), 64 a file cannot be read."#)]
    Check(CardCheckArgs),
    /// Print the rules as JSON Schema, so that an editor completes and checks cards.
    #[command(after_help = r#"Example:
  aviary card schema > card.schema.json

In Visual Studio Code: "json.schemas": [{ "fileMatch": ["*.card.json"], "url": "./card.schema.json" }]"#)]
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct CardCheckArgs {
    /// Files with one card each.
    #[arg(required = true)]
    cards: Vec<PathBuf>,
    /// Print one JSON object for each file instead of text.
    #[arg(long)]
    json: bool,
    /// Fail for warnings, too.
    #[arg(long)]
    strict: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct CardLine<'a> {
    card: &'a Path,
    ok: bool,
    version: Option<&'static str>,
    /// What was around the card, from the outside.
    unwrapped: Vec<&'static str>,
    /// Certain faults, then likely ones.
    faults: Vec<LineFault<'a>>,
    /// Number of further faults that are not listed.
    beyond: usize,
}

#[derive(Serialize)]
struct LineFault<'a> {
    path: &'a str,
    rule: &'static str,
    severity: &'static str,
    words: &'a str,
}

pub(super) fn run(command: CardCommand) -> ExitCode {
    match command {
        CardCommand::Check(arguments) => check(&arguments),
        CardCommand::Schema => {
            terminal::result!("{:#}", lark_card::schema());
            ExitCode::SUCCESS
        }
    }
}

fn check(CardCheckArgs { cards, json, strict }: &CardCheckArgs) -> ExitCode {
    let mut texts = Vec::new();
    for card in cards {
        match small_file::read_text(card, MAX_CARD_BYTES) {
            Ok(text) => texts.push((card, text)),
            Err(error) => {
                terminal::notice!("aviary: {error}");
                return ExitCode::from(EXIT_USAGE);
            }
        }
    }
    let mut all_ok = true;
    for (card, text) in texts {
        let report = check_file(&text);
        let has_warnings = !report.faults.warnings().is_empty();
        let ok = report.faults.is_empty() && !(*strict && has_warnings);
        all_ok &= ok;
        if *json {
            print_json(card, &report, ok);
        } else {
            print_text(card, &report);
        }
    }
    if all_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn all(report: &FileReport) -> impl Iterator<Item = &Fault> {
    report.faults.found().iter().chain(report.faults.warnings())
}

fn print_json(card: &Path, report: &FileReport, ok: bool) {
    let faults = all(report).map(|fault| LineFault {
        path: &fault.path,
        rule: fault.rule.as_str(),
        severity: fault.severity.as_str(),
        words: &fault.words,
    });
    let line = CardLine {
        card,
        ok,
        version: report.version.map(CardVersion::as_str),
        unwrapped: report.unwrapped.iter().copied().map(Wrapper::as_str).collect(),
        faults: faults.collect(),
        beyond: report.faults.beyond() + report.faults.warnings_beyond(),
    };
    match serde_json::to_string(&line) {
        Ok(line) => terminal::result!("{line}"),
        // A path that is not UTF-8 cannot be written as JSON.
        Err(error) => terminal::notice!("aviary: {}: {error}", card.display()),
    }
}

fn print_text(card: &Path, report: &FileReport) {
    let name = card.display();
    for fault in report.faults.found() {
        terminal::result!("{name}: {fault} [{}]", fault.rule.as_str());
    }
    for fault in report.faults.warnings() {
        terminal::result!("{name}: warning: {fault} [{}]", fault.rule.as_str());
    }
    let (faults, warnings) = (report.faults.beyond(), report.faults.warnings_beyond());
    if faults + warnings > 0 {
        terminal::result!("{name}: and {faults} more, and {warnings} more warnings");
    }
    let what = report.version.map_or("no card that can be checked", |version| match version {
        CardVersion::V1 => "card JSON 1.0",
        CardVersion::V2 => "card JSON 2.0",
    });
    let inside = report.unwrapped.iter().rev().map(|wrapper| format!(", inside {wrapper}"));
    let verdict = match (report.faults.is_empty(), report.faults.warnings().len()) {
        (false, _) => return,
        (true, 0) => "nothing wrong".to_owned(),
        (true, warnings) => format!("{warnings} warnings"),
    };
    terminal::result!("{name}: {what}{}: {verdict}", inside.collect::<String>());
}
