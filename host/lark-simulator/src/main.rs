//! Runs the simulated platform as the program `lark-simulator`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use lark_simulator::command::SimulateArgs;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing_subscriber::EnvFilter;

/// The command line is wrong.
const EXIT_USAGE: u8 = 64;
/// A port or another resource of this machine is not available.
const EXIT_UNAVAILABLE: u8 = 69;

/// Simulate the Feishu/Lark platform on this machine, to try a bot without a tenant.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  lark-simulator --webhook http://127.0.0.1:8080/callback\n  curl -s http://127.0.0.1:7700/simulator/state\n\nThe simulated app has the secret `simulated-secret`, the verification token `simulated-token` and the\nencrypt key `simulated-key`. Give an SDK the domain http://127.0.0.1:7700, and open that address in a\nbrowser to send clicks. Exit codes: 0 it was told to stop, 64 an option is wrong, 69 the port or another\nresource of this machine cannot be had."
)]
struct Cli {
    #[command(flatten)]
    arguments: SimulateArgs,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are not errors, and go to standard output.
            let code = if usage.use_stderr() { EXIT_USAGE } else { 0 };
            // Nothing is left to do if even this cannot be printed.
            let _ = usage.print();
            return ExitCode::from(code);
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(EXIT_UNAVAILABLE, &format!("cannot start: {error}")),
    };
    runtime.block_on(async {
        let mut terminate = match signal(SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(error) => {
                return fail(EXIT_UNAVAILABLE, &format!("cannot listen for signals: {error}"));
            }
        };
        let stop = async {
            tokio::select! {
                // Cancel safe: both only wait. Without Ctrl-C there is still SIGTERM.
                _ = terminate.recv() => {}
                Ok(()) = tokio::signal::ctrl_c() => {}
            }
        };
        match cli.arguments.run(stop).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.is_usage() => fail(EXIT_USAGE, &error.to_string()),
            Err(error) => fail(EXIT_UNAVAILABLE, &error.to_string()),
        }
    })
}

fn fail(code: u8, reason: &str) -> ExitCode {
    tracing::error!("{reason}");
    ExitCode::from(code)
}
