//! Runs `aviary` as a person would, on the files of a host.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::artifacts;
use crate::eventually::eventually;

/// The result of a command.
#[derive(Debug)]
pub struct Said {
    /// The exit code; `None` if a signal ended the command.
    pub code: Option<i32>,
    /// Text of standard output.
    pub stdout: String,
    /// Text of standard error.
    pub stderr: String,
}

impl Said {
    /// Returns both outputs together.
    pub fn text(&self) -> String {
        self.stdout.clone() + &self.stderr
    }
}

/// Runs `aviary …` in that folder, with the code cache of the host that runs there.
pub fn aviary(folder: &Path, arguments: &[&str]) -> anyhow::Result<Said> {
    let mut command = Command::new(artifacts::host_binary()?);
    command.args(arguments).current_dir(folder).env("XDG_CACHE_HOME", folder.join("caches"));
    let output = command.output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    })
}

/// Waits until `holds` accepts the lines of `aviary journal export` in that folder, and returns them.
pub async fn journal(
    folder: &Path,
    holds: impl Fn(&[String]) -> bool,
) -> anyhow::Result<Vec<String>> {
    eventually("the journal holds what was answered", async || {
        let said = aviary(folder, &["journal", "export"])?;
        ensure!(said.code == Some(0), "{said:?}");
        let lines: Vec<_> = said.stdout.lines().map(str::to_owned).collect();
        Ok(holds(&lines).then_some(lines))
    })
    .await
}
