//! `aviary doctor`: prints the findings, worst last so that it stays on the screen.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::progress::with_progress;
use crate::doctor;
use crate::doctor::finding::Finding;
use crate::doctor::finding::Level;
use crate::terminal;

/// Find what keeps a set-up from working, and say what to do about it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  aviary doctor --config aviary.toml\n\nIt changes nothing but the cache of compiled code, and may be run beside the host. Exit codes: 0 nothing keeps the host from working, 1 something does."
)]
pub(super) struct DoctorCommand {
    /// Read the configuration from this file.
    #[arg(long, default_value = "aviary.toml")]
    config: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: &DoctorCommand) -> ExitCode {
    let mut findings =
        with_progress("looking at the plugins", doctor::examine(&command.config)).await;
    let sound = findings.iter().all(|finding| finding.level != Level::Fault);
    if command.json {
        terminal::result!("{}", json!({ "ok": sound, "findings": findings }));
    } else {
        findings.sort_by_key(|finding| finding.level as u8);
        findings.iter().for_each(print_text);
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_text(finding: &Finding) {
    let level = match finding.level {
        Level::Fine => "ok     ",
        Level::Note => "note   ",
        Level::Warning => "warning",
        Level::Fault => "FAULT  ",
    };
    terminal::result!("{level} {}: {}", finding.about, finding.what);
    if !finding.why.is_empty() {
        terminal::result!("        why it matters: {}", finding.why);
    }
    if !finding.next.is_empty() {
        terminal::result!("        what to do: {}", finding.next);
    }
}
