//! `aviary dev`: follows a plugin's source until the command is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::fail;
use crate::cli::stop_signals::StopSignals;
use crate::dev;
use crate::dev::DevPage;

/// Rebuild a plugin on each change, make it live and send the last callback again.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  aviary dev leave-approval --open\n\nThe host and a simulated platform run on loopback. After each change the callbacks in DIR/callbacks/ are sent,\nor, once somebody clicked on the platform's page or sent one by hand, that one again:\n  curl -s http://127.0.0.1:PORT/simulator/send -H 'Content-Type: application/json' -d '{\"app_id\":\"cli_0123456789abcdef\",\"kind\":\"card_action\",\"value\":{}}'\nEnds with Ctrl-C. Exit codes: 0 it was told to stop, 1 it could not begin, 69 signals cannot be had."
)]
pub(super) struct DevArgs {
    /// Folder of the plugin, the one with plugin.toml.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Open a chat in a browser to click in; it shows the build, the live version and its answers.
    #[arg(long)]
    open: bool,
}

pub(super) async fn run(arguments: &DevArgs) -> ExitCode {
    let mut stop = match StopSignals::listen() {
        Ok(stop) => stop,
        Err(error) => {
            return fail(EXIT_UNAVAILABLE, &format!("cannot listen for signals: {error}"));
        }
    };
    let page = if arguments.open { DevPage::Open } else { DevPage::Leave };
    tokio::select! {
        // Work under way is dropped: nobody waits for its answer.
        () = stop.received() => ExitCode::SUCCESS,
        result = dev::run(&arguments.dir, page) => match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &format!("{error:#}")),
        },
    }
}
