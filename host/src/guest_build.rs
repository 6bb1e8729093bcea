//! Builds a workspace of Rust guests with cargo, installing the target they need. For the demo and the tests; the host
//! itself never compiles anything but WebAssembly.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

/// Target that Rust plugins are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// Reason why no guests were built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestBuildError {
    /// A tool is not installed.
    #[error("cannot run {tool}: {error}; it comes with rustup, see https://rustup.rs")]
    Missing {
        /// Name of the tool.
        tool: &'static str,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// A tool failed. It has said why on standard error.
    #[error("`{command}` failed with {status}")]
    Failed {
        /// The command, with its arguments.
        command: String,
        /// Exit status of the command.
        status: std::process::ExitStatus,
    },
}

/// Builds every member of the workspace at `workspace` and returns the components, sorted by name. The tools' progress
/// goes to standard error.
pub async fn build(
    workspace: &Path,
    target_folder: &Path,
) -> Result<Vec<PathBuf>, GuestBuildError> {
    ensure_target().await?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--locked", "--message-format", "json-render-diagnostics"])
        .args(["--target", TARGET, "--manifest-path"])
        .arg(workspace.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_folder)
        // Flags for the host are not flags for WebAssembly.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    Ok(components(&succeed("cargo", &mut cargo).await?))
}

/// Returns the folder of this program's own build, in which guests are built too.
pub fn build_folder() -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // target/debug/aviary, target/release/aviary, target/debug/deps/e2e-…
    let profile =
        program.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    match profile.and_then(Path::parent) {
        Some(target) => Ok(target.to_owned()),
        None => Ok(std::env::temp_dir().join("aviary-build")),
    }
}

async fn ensure_target() -> Result<(), GuestBuildError> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "list", "--installed"]).stdin(Stdio::null());
    let listed = rustup
        .output()
        .await
        .map_err(|error| GuestBuildError::Missing { tool: "rustup", error })?;
    if String::from_utf8_lossy(&listed.stdout).lines().any(|target| target == TARGET) {
        return Ok(());
    }
    succeed("rustup", Command::new("rustup").args(["target", "add", TARGET])).await.map(drop)
}

/// Runs a command and returns its standard output, or an error unless it succeeds. Its standard error goes to this process's.
async fn succeed(tool: &'static str, command: &mut Command) -> Result<Vec<u8>, GuestBuildError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let missing = |error| GuestBuildError::Missing { tool, error };
    let output = command.spawn().map_err(missing)?.wait_with_output().await.map_err(missing)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words: Vec<_> =
        command.as_std().get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    Err(GuestBuildError::Failed {
        command: format!("{tool} {}", words.join(" ")),
        status: output.status,
    })
}

/// Returns the components among the artifacts that cargo reports. Its output folder may hold those of other workspaces too.
fn components(messages: &[u8]) -> Vec<PathBuf> {
    #[derive(Deserialize)]
    struct CargoMessage {
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    let mut found: Vec<_> = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<CargoMessage>(line).ok())
        .flat_map(|message| message.filenames)
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect();
    found.sort();
    found
}
