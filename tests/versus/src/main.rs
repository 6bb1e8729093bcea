//! `cargo versus`: runs all parts, in about twenty minutes. Progress goes to standard error; with `--json`, the last line of
//! standard output is one JSON object. `cargo versus instructions` counts instructions instead.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::process::ExitCode;

use aviary_e2e::artifacts::source_root;
use aviary_versus::PARTS;
use aviary_versus::Report;
use aviary_versus::Size;
use aviary_versus::instructions;
use aviary_versus::instructions::Clicked;
use aviary_versus::instructions::Comparison;
use aviary_versus::instructions::Counted;
use aviary_versus::instructions::Counts;

const USAGE: &str = "cargo versus [--small] [--json | --readme] [PART]…
cargo versus instructions [--record]
  --small   the size that `cargo test` runs: whether it works, not how fast it is
  --json    one JSON object: ratios, figures, their spread, and every row
  --readme  writes the tables into README.md and plugins/README.md
  instructions  counts those of a click with valgrind, and compares them with tests/versus/instructions.json
  --record  writes that file instead
Without --json or --readme, it prints the tables. Without a PART, all of them:";

/// Destination of the report.
enum Output {
    Tables,
    Json,
    Readme,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (mut size, mut output, mut parts) = (Size::full(), Output::Tables, Vec::new());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some("instructions") = arguments.first().map(String::as_str) {
        return match &arguments[1..] {
            [] => finish(compare().await),
            [flag] if flag == "--record" => finish(record().await),
            _ => usage(),
        };
    }
    for argument in &arguments {
        match argument.as_str() {
            "--small" => size = Size::small(),
            "--json" => output = Output::Json,
            "--readme" => output = Output::Readme,
            part if PARTS.contains(&part) => parts.push(part),
            _ => return usage(),
        }
    }
    if parts.is_empty() {
        parts.extend(PARTS);
    }
    let measured = aviary_versus::run(size, &parts).await;
    finish(measured.and_then(|report| show(&output, &report)))
}

fn usage() -> ExitCode {
    eprintln!("{USAGE} {}", PARTS.join(" "));
    ExitCode::from(64)
}

fn finish(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("versus: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn count() -> anyhow::Result<Counted> {
    let counted = instructions::count(&Counts::ALL, Clicked::FULL).await?;
    println!("{}", serde_json::to_string_pretty(&counted)?);
    Ok(counted)
}

async fn record() -> anyhow::Result<()> {
    instructions::record(&count().await?)
}

async fn compare() -> anyhow::Result<()> {
    match instructions::compare(&count().await?)? {
        Comparison::Good(words) => words.iter().for_each(|words| println!("{words}")),
        Comparison::NotComparable(why) => println!("not compared: {why}"),
        Comparison::More(words) => anyhow::bail!("{}", words.join("\n")),
    }
    Ok(())
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
