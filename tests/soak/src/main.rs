//! `cargo soak`: the promises under attack, in about a quarter of an hour; `--hostile`: every attack that once worked, all at
//! once, in about six minutes. Progress goes to standard error; the last line of standard output is one JSON object.
//! `--small` is the size that `cargo test` runs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::process::ExitCode;

use aviary_soak::SiegeSize;
use aviary_soak::Size;
use serde::Serialize;

/// Error message for unknown arguments.
const USAGE: &str = "soak: the arguments are --hostile and --small, both, one or none";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let line = match arguments.as_slice() {
        [] => promises(Size::full()).await,
        ["--small"] => promises(Size::small()).await,
        ["--hostile"] => siege(SiegeSize::full()).await,
        ["--hostile", "--small"] | ["--small", "--hostile"] => siege(SiegeSize::small()).await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match line {
        Ok((ok, line)) => {
            println!("{line}");
            if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn promises(size: Size) -> anyhow::Result<(bool, String)> {
    let report = aviary_soak::run(size).await?.judged();
    in_a_line(report.ok, &report)
}

async fn siege(size: SiegeSize) -> anyhow::Result<(bool, String)> {
    let report = aviary_soak::besiege(size).await?.judged();
    in_a_line(report.ok, &report)
}

fn in_a_line(ok: bool, report: &impl Serialize) -> anyhow::Result<(bool, String)> {
    Ok((ok, serde_json::to_string(report)?))
}
