//! `cargo soak`: all of it, in about a quarter of an hour. Progress goes to standard error; the last line of standard
//! output is one JSON object. `--small` is the size that `cargo test` runs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::process::ExitCode;

use aviary_soak::Size;

#[tokio::main]
async fn main() -> ExitCode {
    let size = match std::env::args().nth(1).as_deref() {
        None => Size::full(),
        Some("--small") => Size::small(),
        Some(other) => {
            eprintln!("soak: {other:?} is not known; there is --small");
            return ExitCode::from(64);
        }
    };
    let line = aviary_soak::run(size).await.and_then(|report| {
        let report = report.judged();
        Ok((report.ok, serde_json::to_string(&report)?))
    });
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
