//! `cargo versus`: all of it, in about a quarter of an hour. Progress goes to standard error; with `--json`, the last line
//! of standard output is one JSON object.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::process::ExitCode;

use aviary_e2e::artifacts::source_root;
use aviary_versus::PARTS;
use aviary_versus::Report;
use aviary_versus::Size;

const USAGE: &str = "cargo versus [--small] [--json | --readme] [PART]…
  --small   the size that `cargo test` runs: whether it works, not how fast it is
  --json    one JSON object: ratios, figures, their spread, and every row
  --readme  writes the tables into README.md and plugins/README.md
Without either, it prints the tables. Without a PART, all of them:";

/// What becomes of the report.
enum Output {
    Tables,
    Json,
    Readme,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (mut size, mut output, mut parts) = (Size::full(), Output::Tables, Vec::new());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for argument in &arguments {
        match argument.as_str() {
            "--small" => size = Size::small(),
            "--json" => output = Output::Json,
            "--readme" => output = Output::Readme,
            part if PARTS.contains(&part) => parts.push(part),
            _ => {
                eprintln!("{USAGE} {}", PARTS.join(" "));
                return ExitCode::from(64);
            }
        }
    }
    if parts.is_empty() {
        parts.extend(PARTS);
    }
    let measured = aviary_versus::run(size, &parts).await;
    match measured.and_then(|report| show(&output, &report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("versus: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show(output: &Output, report: &Report) -> anyhow::Result<()> {
    for (name, why) in report.left_out() {
        eprintln!("versus: left out: {name}: {why}");
    }
    match output {
        Output::Tables => print!("{}", aviary_versus::markdown(report)),
        Output::Json => println!("{}", serde_json::to_string(report)?),
        Output::Readme => aviary_versus::write_readmes(&source_root(), report)?,
    }
    Ok(())
}
