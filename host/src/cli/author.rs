//! `aviary new` and `aviary build`: a plugin to begin with, and its build.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::EXIT_USAGE;
use crate::cli::exit::fail;
use crate::terminal;
use crate::workshop::build;
use crate::workshop::build::BuildError;
use crate::workshop::build::Tests;
use crate::workshop::recipe::PluginName;
use crate::workshop::template;
use crate::workshop::template::Language;
use crate::workshop::template::NewError;
use crate::workshop::tool::Follower;

/// Create a plugin that builds and answers, with sample callbacks and a test.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  aviary new leave-approval --lang python\n  aviary build leave-approval --out plugins\n\nNothing that is there is overwritten. Exit codes: 0 it is there, 1 it could not be written, 64 the command line is\nwrong, or the folder holds such files already."
)]
pub(super) struct NewArgs {
    /// Name of the plugin, in small letters, digits and hyphens; also its folder, unless --folder is given.
    name: PluginName,
    /// Language to write it in.
    #[arg(long, value_enum)]
    lang: Language,
    /// Folder to write it to; by default its name.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Build a plugin as its plugin.toml says, and put it into a plugins folder.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  aviary build leave-approval --out plugins\n\nWhat is missing on this machine is named, with what to type. Libraries and tools of the plugin go into its own\nfolder and nowhere else. Beside NAME.wasm go its callbacks/ as NAME.tests/, which a host sends it before it is live\n(CALLBACK.api.json there has answers for what it asks meanwhile), and its sidecar.toml as NAME.toml, unless there is\none. Exit codes: 0 it is there, 1 the build failed, 64 the folder\nhas no sound plugin.toml, 69 a tool is missing."
)]
pub(super) struct BuildArgs {
    /// Folder of the plugin, the one with plugin.toml.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Plugins folder that a host watches.
    #[arg(long, default_value = "plugins")]
    out: PathBuf,
    /// Run the plugin's own tests too, and place it only if they pass.
    #[arg(long)]
    test: bool,
}

pub(super) fn create(arguments: &NewArgs) -> ExitCode {
    let folder = arguments.folder.clone().unwrap_or_else(|| arguments.name.as_str().into());
    match template::create(&folder, &arguments.name, arguments.lang) {
        Ok(()) => {
            let folder = folder.display();
            terminal::result!("{folder}/ is a plugin; its README.md says what is where. Next:");
            terminal::result!("  aviary build {folder} --out plugins");
            ExitCode::SUCCESS
        }
        Err(error @ NewError::Exists(_)) => fail(EXIT_USAGE, &error.to_string()),
        Err(error @ NewError::Write { .. }) => fail(1, &error.to_string()),
    }
}

pub(super) async fn build(arguments: &BuildArgs) -> ExitCode {
    let tests = if arguments.test { Tests::Run } else { Tests::Leave };
    let follower =
        Follower { begins: &|command| terminal::notice!("aviary: {command}"), hears: None };
    let built = build::build(&arguments.dir, tests, &follower).await;
    match built.and_then(|built| built.place(&arguments.out)) {
        Ok(placed) => {
            terminal::result!("{}", placed.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let code = match &error {
                BuildError::Recipe(_) => EXIT_USAGE,
                BuildError::Missing(_) => EXIT_UNAVAILABLE,
                BuildError::Run { .. }
                | BuildError::Failed { .. }
                | BuildError::NoOutput(_)
                | BuildError::Read(_)
                | BuildError::File { .. } => 1,
            };
            fail(code, &error.to_string())
        }
    }
}
