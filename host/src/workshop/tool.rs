//! One command of a plugin's tools, run in its source folder.

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

/// How long what a command said may take to follow its end. Something that it left running may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// What is read at once.
const CHUNK_BYTES: usize = 8 << 10;

/// Takes what a command says, as it comes.
pub type Listener<'a> = &'a dyn Fn(&[u8]);

/// Who follows a build.
pub struct Follower<'a> {
    /// Is told each command before it runs.
    pub begins: &'a dyn Fn(&str),
    /// Hears what the commands say. Without it, they say it to this process's standard error themselves.
    pub hears: Option<Listener<'a>>,
}

/// Runs it to its end.
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
    // With a `/`, the system would look from where this process stands.
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

/// Both of its outputs go through one pipe, so that they stay in order.
async fn heard(mut command: Command, hears: Listener<'_>) -> std::io::Result<ExitStatus> {
    let (reader, writer) = std::io::pipe()?;
    let mut said = Receiver::from_owned_fd(reader.into())?;
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // It holds the other end, without which there is no end of what is said.
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
    // What is not there by then is not the command's.
    let _ = tokio::time::timeout(LAST_WORDS, rest).await;
    Ok(status)
}
