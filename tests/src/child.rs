//! A process that a test started: keeps its output and ends it with the test.

use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

use anyhow::Context as _;

use crate::log::Log;

/// Lines of the log that a failed test shows.
const LINES_SHOWN: usize = 300;

/// A child of the test. Killed when dropped.
pub(crate) struct Supervised {
    who: &'static str,
    child: Child,
    log: Log,
    stdout: Log,
}

impl Supervised {
    /// Starts the process and reads both of its outputs.
    pub(crate) fn start(who: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let log = Log::follow(child.stderr.take().context("stderr is piped")?);
        let stdout = Log::follow(child.stdout.take().context("stdout is piped")?);
        Ok(Self { who, child, log, stdout })
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn stdout(&self) -> &Log {
        &self.stdout
    }

    /// Returns the end of the log, for a person.
    pub(crate) fn last_words(&self) -> String {
        self.log.tail(LINES_SHOWN)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the process's standard input; `None` if it was not piped or is already taken.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Returns how the process ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    pub(crate) fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Both fail only if the process has already ended, which is their purpose.
        let _ = self.child.kill();
        let _ = self.child.wait();
        #[expect(
            clippy::print_stderr,
            reason = "the test runner shows this only if the test failed"
        )]
        {
            eprintln!("--- {}'s log ends:\n{}\n---", self.who, self.last_words());
        }
    }
}
