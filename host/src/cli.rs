//! Commands, and the exit codes they end with.
//!
//! 0: all went well. 1: it ran and something failed. 64: the command line or the configuration is wrong. 69: a port or
//! another resource of this machine cannot be had.

mod author;
mod bench;
mod call;
mod card;
mod check;
mod desk;
mod dev;
mod doctor;
mod exit;
mod explain;
mod journal;
mod plugins;
mod progress;
mod replay;
mod stop_signals;

use std::io::ErrorKind;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::Parser;
use clap::Subcommand;
use clap_complete::Shell;

use crate::app::Host;
use crate::cli::author::BuildArgs;
use crate::cli::author::NewArgs;
use crate::cli::bench::BenchArgs;
use crate::cli::call::CallArgs;
use crate::cli::card::CardCommand;
use crate::cli::check::CheckArgs;
use crate::cli::dev::DevArgs;
use crate::cli::doctor::DoctorCommand;
use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::EXIT_USAGE;
use crate::cli::exit::fail;
use crate::cli::explain::ExplainCommand;
use crate::cli::journal::JournalCommand;
use crate::cli::plugins::PluginsCommand;
use crate::cli::replay::ReplayArgs;
use crate::cli::stop_signals::StopSignals;
use crate::config::Config;
use crate::demo;
use crate::open_files;
use crate::secret::Secret;
use crate::simulator::Simulator;
use crate::simulator::config::SimulatedApp;
use crate::simulator::config::SimulatorConfig;
use crate::telemetry;
use crate::telemetry::LogConfig;

/// Answers Feishu/Lark callbacks with WebAssembly plugins.
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
    /// Run the host: open the doors and answer callbacks until SIGTERM or Ctrl-C.
    #[command(after_help = "Example:\n  AVIARY_APP_SECRET=… aviary run --config aviary.toml")]
    Run {
        /// The configuration file.
        #[arg(long, default_value = "aviary.toml")]
        config: PathBuf,
    },
    /// Run the platform's side of the wire on this machine, for trying things without a tenant.
    #[command(
        after_help = "Example:\n  aviary simulate --listen 127.0.0.1:7700 --webhook http://127.0.0.1:8080/callback\n  curl -s http://127.0.0.1:7700/simulator/state\n\nThe simulated app has the secret `simulated-secret`, the verification token `simulated-token` and the\nencrypt key `simulated-key`; point an aviary.toml at it with domain = \"http://127.0.0.1:7700\"."
    )]
    Simulate {
        /// Address and port on loopback; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:7700")]
        listen: SocketAddr,
        /// The id of the simulated app.
        #[arg(long, default_value = "cli_0123456789abcdef")]
        app_id: String,
        /// A webhook on this machine, like http://127.0.0.1:8080/callback, that callbacks may be sent to. Several may be given;
        /// without one, callbacks go over the long connection only.
        #[arg(long, value_name = "URL")]
        webhook: Vec<String>,
    },
    /// Work on cards.
    Card {
        #[command(subcommand)]
        command: CardCommand,
    },
    Plugins(PluginsCommand),
    Journal(JournalCommand),
    Replay(ReplayArgs),
    Explain(ExplainCommand),
    Doctor(DoctorCommand),
    Call(CallArgs),
    Check(CheckArgs),
    Bench(BenchArgs),
    /// Print what makes a shell complete the commands and options of aviary.
    #[command(
        after_help = "Example:\n  aviary completions bash > ~/.local/share/bash-completion/completions/aviary"
    )]
    Completions {
        /// For this shell.
        shell: Shell,
    },
    New(NewArgs),
    Build(BuildArgs),
    Dev(DevArgs),
    /// Show everything at once: simulated platform, host, example plugins, on loopback.
    #[command(after_help = "Example:\n  aviary demo --json | jq .swap")]
    Demo {
        /// Print one JSON object instead of a table.
        #[arg(long)]
        json: bool,
        /// Show a page on which you click yourself, until Ctrl-C.
        #[arg(long, conflicts_with = "json")]
        open: bool,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are no errors, and go to standard output.
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
            Command::Simulate { listen, app_id, webhook } => {
                simulate(listen, app_id, &webhook).await
            }
            Command::Call(arguments) => call::run(&arguments).await,
            Command::Check(arguments) => check::run(&arguments).await,
            Command::Bench(arguments) => bench::run(&arguments).await,
            Command::Completions { shell } => complete(shell),
            Command::Plugins(command) => list_plugins(&command).await,
            Command::Demo { json, open } => show(json, open).await,
            Command::Card { command } => card::run(command),
            Command::Journal(command) => printed(journal::run(&command)),
            Command::Replay(arguments) => replay::run(&arguments).await,
            Command::Explain(command) => explain::run(&command),
            Command::Doctor(command) => doctor::run(&command).await,
            Command::New(arguments) => author::create(&arguments),
            Command::Build(arguments) => author::build(&arguments).await,
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

async fn simulate(listen: SocketAddr, app_id: String, webhooks: &[String]) -> ExitCode {
    if let Err(error) = telemetry::init(&LogConfig::default()) {
        return fail(EXIT_USAGE, &error.to_string());
    }
    if !listen.ip().is_loopback() {
        return fail(
            EXIT_USAGE,
            "--listen: the simulator knows no secrets worth the name, so it stays on loopback",
        );
    }
    let app = SimulatedApp {
        verification_token: Some(Secret::new("simulated-token")),
        encrypt_key: Some(Secret::new("simulated-key")),
        ..SimulatedApp::new(app_id, Secret::new("simulated-secret"))
    };
    let config = SimulatorConfig { listen, ..SimulatorConfig::on_loopback(vec![app]) };
    let mut stop = match StopSignals::listen() {
        Ok(stop) => stop,
        Err(error) => {
            return fail(EXIT_UNAVAILABLE, &format!("cannot listen for signals: {error}"));
        }
    };
    open_files::raise_limit();
    let simulator = match Simulator::start(config).await {
        Ok(simulator) => simulator,
        Err(error) => return fail(EXIT_UNAVAILABLE, &error.to_string()),
    };
    for webhook in webhooks {
        if let Err(error) = simulator.open_webhook(webhook) {
            return fail(EXIT_USAGE, &format!("--webhook: {error}"));
        }
    }
    tracing::info!(what = "simulator", address = %simulator.address(), "listening");
    stop.received().await;
    simulator.shutdown().await;
    ExitCode::SUCCESS
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

async fn list_plugins(command: &PluginsCommand) -> ExitCode {
    match plugins::run(command).await {
        Ok(text) => {
            // A reader that closed its end, as `head` does, has what it wanted.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

fn complete(shell: Shell) -> ExitCode {
    // A buffer first: a reader that closes its end early is no reason to panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "aviary", &mut script);
    match std::io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

async fn show(json: bool, open: bool) -> ExitCode {
    let shown = if open { play().await } else { demo::run(json).await };
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

async fn play() -> anyhow::Result<bool> {
    let mut stop = StopSignals::listen()?;
    demo::open(stop.received()).await
}
