//! Commands, and the exit codes they end with.
//!
//! 0: all went well. 1: it ran and something failed. 64: the command line or the configuration is wrong. 69: a port or another
//! resource of this machine is not available.

mod admin_port;
#[cfg(feature = "workshop")]
mod author;
mod bench;
mod call;
mod card;
mod check;
mod desk;
#[cfg(all(feature = "simulator", feature = "workshop"))]
mod dev;
mod doctor;
mod exit;
mod explain;
mod inbox;
mod journal;
mod plugins;
mod progress;
mod replay;
mod stop_signals;

use std::io::ErrorKind;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::Parser;
use clap::Subcommand;
use clap_complete::Shell;
#[cfg(feature = "simulator")]
use lark_simulator::command::SimulateArgs;

use crate::app::Host;
#[cfg(feature = "workshop")]
use crate::cli::author::BuildArgs;
#[cfg(feature = "workshop")]
use crate::cli::author::NewArgs;
use crate::cli::bench::BenchArgs;
use crate::cli::call::CallArgs;
use crate::cli::card::CardCommand;
use crate::cli::check::CheckArgs;
#[cfg(all(feature = "simulator", feature = "workshop"))]
use crate::cli::dev::DevArgs;
use crate::cli::doctor::DoctorCommand;
use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::EXIT_USAGE;
use crate::cli::exit::fail;
use crate::cli::explain::ExplainCommand;
use crate::cli::inbox::InboxCommand;
use crate::cli::journal::JournalCommand;
use crate::cli::plugins::PluginsCommand;
use crate::cli::replay::ReplayArgs;
use crate::cli::stop_signals::StopSignals;
use crate::config::Config;
#[cfg(feature = "simulator")]
use crate::demo;
use crate::open_files;
use crate::telemetry;
#[cfg(feature = "simulator")]
use crate::telemetry::LogConfig;

/// Answer Feishu/Lark callbacks with WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes of every command: 0 all went well, 1 it ran and something failed, 64 the command line, the configuration or\na file that was named is wrong, 69 a port, a tool or another resource of this machine cannot be had."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host until SIGTERM or Ctrl-C.
    #[command(after_help = "Example:\n  AVIARY_APP_SECRET=… aviary run --config aviary.toml")]
    Run {
        /// Read the configuration from this file.
        #[arg(long, default_value = "aviary.toml")]
        config: PathBuf,
    },
    Plugins(PluginsCommand),
    Inbox(InboxCommand),
    Doctor(DoctorCommand),
    #[cfg(feature = "workshop")]
    New(NewArgs),
    #[cfg(feature = "workshop")]
    Build(BuildArgs),
    #[cfg(all(feature = "simulator", feature = "workshop"))]
    Dev(DevArgs),
    Check(CheckArgs),
    Call(CallArgs),
    Bench(BenchArgs),
    /// Check cards.
    Card {
        #[command(subcommand)]
        command: CardCommand,
    },
    Journal(JournalCommand),
    Replay(ReplayArgs),
    /// Simulate the platform on this machine, to try things without a tenant.
    #[command(
        after_help = "Example:\n  aviary simulate --listen 127.0.0.1:7700 --webhook http://127.0.0.1:8080/callback\n  curl -s http://127.0.0.1:7700/simulator/state\n\nThe simulated app has the secret `simulated-secret`, the verification token `simulated-token` and the\nencrypt key `simulated-key`; point an aviary.toml at it with domain = \"http://127.0.0.1:7700\"."
    )]
    #[cfg(feature = "simulator")]
    Simulate(SimulateArgs),
    /// Run the demo: simulated platform, host and example plugins on loopback.
    #[command(after_help = "Example:\n  aviary demo --json | jq .swap")]
    #[cfg(feature = "simulator")]
    Demo {
        /// Print one JSON object instead of a table.
        #[arg(long)]
        json: bool,
        /// Open a page in a browser to click on yourself, until Ctrl-C.
        #[arg(long, conflicts_with = "json")]
        open: bool,
    },
    Explain(ExplainCommand),
    /// Print a completion script.
    #[command(
        after_help = "Example:\n  aviary completions bash > ~/.local/share/bash-completion/completions/aviary"
    )]
    Completions {
        /// Shell that the script is for.
        shell: Shell,
    },
}

/// Parses the command line, runs the command and returns its exit code.
pub fn main() -> ExitCode {
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
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(EXIT_UNAVAILABLE, &format!("cannot start: {error}")),
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run { config } => run(&config).await,
            #[cfg(feature = "simulator")]
            Command::Simulate(arguments) => simulate(arguments).await,
            Command::Call(arguments) => call::run(&arguments).await,
            Command::Check(arguments) => check::run(&arguments).await,
            Command::Bench(arguments) => bench::run(&arguments).await,
            Command::Completions { shell } => complete(shell),
            Command::Plugins(command) => print_answer(plugins::run(&command).await),
            Command::Inbox(command) => print_answer(inbox::run(&command).await),
            #[cfg(feature = "simulator")]
            Command::Demo { json, open } => show(json, open).await,
            Command::Card { command } => card::run(command),
            Command::Journal(command) => printed(journal::run(&command)),
            Command::Replay(arguments) => replay::run(&arguments).await,
            Command::Explain(command) => explain::run(&command),
            Command::Doctor(command) => doctor::run(&command).await,
            #[cfg(feature = "workshop")]
            Command::New(arguments) => author::create(&arguments),
            #[cfg(feature = "workshop")]
            Command::Build(arguments) => author::build(&arguments).await,
            #[cfg(all(feature = "simulator", feature = "workshop"))]
            Command::Dev(arguments) => dev::run(&arguments).await,
        }
    });
    telemetry::flush();
    // All work is done. A thread that waits for a file system that does not answer must not keep the process.
    runtime.shutdown_background();
    code
}

async fn run(path: &std::path::Path) -> ExitCode {
    let config = match Config::load(path).and_then(Config::for_listening) {
        Ok(config) => config,
        Err(error) => return fail(EXIT_USAGE, &error.to_string()),
    };
    if let Err(error) = telemetry::init(&config.log) {
        return fail(EXIT_USAGE, &error.to_string());
    }
    // Before the doors open: a signal that comes while a first callback is under way must not kill the process.
    let mut stop = match StopSignals::listen() {
        Ok(stop) => stop,
        Err(error) => {
            return fail(EXIT_UNAVAILABLE, &format!("cannot listen for signals: {error}"));
        }
    };
    open_files::raise_limit();
    let started = tokio::select! {
        // Cancel safe: both signals are only waited for, and a start that is given up has answered nobody.
        () = stop.received() => return ExitCode::SUCCESS,
        started = Host::builder(config).start() => started,
    };
    let host = match started {
        Ok(host) => host,
        Err(error) => return fail(EXIT_UNAVAILABLE, &error.to_string()),
    };
    stop.received().await;
    if host.stop().await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(feature = "simulator")]
async fn simulate(arguments: SimulateArgs) -> ExitCode {
    if let Err(error) = telemetry::init(&LogConfig::default()) {
        return fail(EXIT_USAGE, &error.to_string());
    }
    let mut stop = match StopSignals::listen() {
        Ok(stop) => stop,
        Err(error) => {
            return fail(EXIT_UNAVAILABLE, &format!("cannot listen for signals: {error}"));
        }
    };
    open_files::raise_limit();
    match arguments.run(stop.received()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_usage() => fail(EXIT_USAGE, &error.to_string()),
        Err(error) => fail(EXIT_UNAVAILABLE, &error.to_string()),
    }
}

fn printed(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that closed its end, as `head` does, has what it wanted.
        Err(error)
            if error.downcast_ref().map(std::io::Error::kind) == Some(ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

/// Prints what a running host has answered.
fn print_answer(answer: anyhow::Result<String>) -> ExitCode {
    match answer {
        Ok(text) => {
            // A reader that closed its end, as `head` does, has what it wanted.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

fn complete(shell: Shell) -> ExitCode {
    // Written to a buffer first: `generate` panics where a write fails, and a reader may close its end early.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "aviary", &mut script);
    match std::io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

#[cfg(feature = "simulator")]
async fn show(json: bool, open: bool) -> ExitCode {
    let shown = if open { play().await } else { demo::run(json).await };
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

#[cfg(feature = "simulator")]
async fn play() -> anyhow::Result<bool> {
    let mut stop = StopSignals::listen()?;
    demo::open(stop.received()).await
}
