//! Runs one command of a plugin's tools in its source folder.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;

use crate::workshop::build::BuildError;
use crate::workshop::recipe::Words;

/// Time after a command's end in which its output may still arrive. A process that it left running may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 8 << 10;

/// Takes the output of a command, as it comes.
pub type Listener<'a> = &'a dyn Fn(&[u8]);

/// Observer of a build.
pub struct Follower<'a> {
    /// Called with each command before it runs.
    pub begins: &'a dyn Fn(&str),
    /// Called with the output of the commands. Without it, they write to this process's standard error themselves.
    pub hears: Option<Listener<'a>>,
}

/// Runs a command to its end, and fails unless it succeeds.
pub(super) async fn run(
    source: &Path,
    step: &Words,
    follower: &Follower<'_>,
) -> Result<(), BuildError> {
    (follower.begins)(&step.to_string());
    let status = match follower.hears {
        None => command(source, step).stdout(std::io::stderr()).status().await,
        Some(hears) => heard(command(source, step), hears).await,
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(BuildError::Failed { command: step.to_string(), status }),
        Err(error) => Err(BuildError::Run { command: step.to_string(), error }),
    }
}

fn command(source: &Path, step: &Words) -> Command {
    // The system would look for a path with a `/` from this process's own folder.
    let program = match step.program() {
        own if own.contains('/') => source.join(own).into_os_string(),
        name => OsString::from(name),
    };
    let mut command = Command::new(program);
    command
        .args(step.arguments())
        .current_dir(source)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        // Flags for this machine are not flags for WebAssembly.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    command
}

/// Runs a command and passes its output on. Both of its outputs go through one pipe, so that they stay in order.
async fn heard(mut command: Command, hears: Listener<'_>) -> std::io::Result<ExitStatus> {
    let (reader, writer) = std::io::pipe()?;
    let mut said = Receiver::from_owned_fd(reader.into())?;
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // The command holds the pipe's other end: while it does, reading never ends.
    drop(command);
    let mut chunk = [0; CHUNK_BYTES];
    let status = loop {
        tokio::select! {
            // Cancel safe: both, as their documentation says.
            read = said.read(&mut chunk) => match read? {
                0 => return child.wait().await,
                length => hears(chunk.get(..length).unwrap_or_default()),
            },
            status = child.wait() => break status?,
        }
    };
    let rest = async {
        while let Ok(length @ 1..) = said.read(&mut chunk).await {
            hears(chunk.get(..length).unwrap_or_default());
        }
    };
    // Output that comes later is not the command's.
    let _ = tokio::time::timeout(LAST_WORDS, rest).await;
    Ok(status)
}
