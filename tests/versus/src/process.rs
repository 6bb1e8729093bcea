//! A contestant's process: on its own core, with its log in a file like that of a service, and with the resources it has used.

use std::collections::HashMap;
use std::fs::File;
use std::fs::OpenOptions;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;
use tempfile::TempDir;

use crate::cores::Cores;

/// Time between two polls of its log.
const POLL: Duration = Duration::from_millis(10);
/// Clock ticks in a second: Linux reports processor time in these on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;
/// Bytes of the log that a failed start shows.
const SHOWN: usize = 4000;
/// Time limit for an expected line: a component of twenty megabytes may have to be compiled first, or valgrind runs all of it.
/// Only a failing run ever waits this long.
const PATIENCE: Duration = Duration::from_secs(900);

/// A running contestant. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
    started: Instant,
}

impl Process {
    /// Starts the process; its log and other files are in `folder`. It gets `environment`, and no other variables that could
    /// configure it.
    pub(crate) fn start(
        cores: Cores,
        command: &mut Command,
        environment: &[(String, String)],
        folder: TempDir,
    ) -> anyhow::Result<Self> {
        for (name, _) in std::env::vars_os() {
            // The machine's proxy and its settings for Aviary must not influence a measurement, which stays on this machine.
            let text = name.to_string_lossy().to_ascii_uppercase();
            if text.starts_with("AVIARY_") || text.ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        command.envs(environment.iter().cloned());
        command.stdin(Stdio::null());
        command.stdout(appending(&log(folder.path()))?).stderr(appending(&log(folder.path()))?);
        let started = Instant::now();
        let child = cores.on_the_servers(|| command.spawn())?;
        let child = child.with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, folder, started })
    }

    /// Returns the moment of the start.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Returns the path of that name in the working folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until `find` accepts a line of the log, and returns its result.
    pub(crate) async fn line<T>(
        &mut self,
        find: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        Ok(self.lines(1, find).await?.remove(0))
    }

    /// Waits until `find` accepts that many lines of the log, and returns its results.
    pub(crate) async fn lines<T>(
        &mut self,
        count: usize,
        find: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<Vec<T>> {
        let began = Instant::now();
        loop {
            let text = std::fs::read(log(self.folder.path()))?;
            let lines = text.split(|byte| *byte == b'\n');
            let json = lines.filter_map(|line| serde_json::from_slice(line).ok());
            let found: Vec<_> = json.filter_map(|line: Value| find(&line)).collect();
            if found.len() >= count {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}: {}", self.last_words());
            }
            if began.elapsed() > PATIENCE {
                bail!("it does not say so: {}", self.last_words());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Returns the end of the log.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(log(self.folder.path())).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(SHOWN)..]).into_owned()
    }

    /// Truncates the log, which would fill the disk in the end.
    pub(crate) fn forget_log(&self) -> anyhow::Result<()> {
        Ok(OpenOptions::new().write(true).open(log(self.folder.path()))?.set_len(0)?)
    }

    /// Sends SIGTERM, as a service manager does, and waits until the process has ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        // Sending a signal without `unsafe` takes a program.
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().context("cannot run kill")?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(began.elapsed() < PATIENCE, "it does not end: {}", self.last_words());
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Returns the processor time of the process and its children, including those that have ended.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut ticks = HashMap::new();
        for entry in std::fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            // The process may have ended in between.
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            if let Some(used) = Used::parse(&stat) {
                ticks.insert(pid, used);
            }
        }
        let of_it = |pid: u32| {
            let mut next = Some(pid);
            std::iter::from_fn(|| {
                let pid = next?;
                next = ticks.get(&pid).map(|used| used.parent);
                Some(pid)
            })
            .any(|ancestor| ancestor == self.child.id())
        };
        let used: u64 =
            ticks.iter().filter(|(pid, _)| of_it(**pid)).map(|(_, used)| used.ticks).sum();
        Ok(Duration::from_secs_f64(used as f64 / TICKS_PER_SECOND))
    }

    /// Returns the resident memory in bytes, without children.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
        Ok(kibibytes.parse::<u64>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has already ended, which is their purpose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time from `/proc/PID/stat`.
struct Used {
    parent: u32,
    ticks: u64,
}

impl Used {
    fn parse(stat: &str) -> Option<Self> {
        // The name in parentheses may hold anything; after it come state, parent, and from the 12th place on the time in user
        // and in kernel mode, and the same of children that have ended: without those, the sum would shrink.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let ticks = (11..=14).map(number).sum::<Option<u64>>()?;
        Some(Self { parent: fields.get(1)?.parse().ok()?, ticks })
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn appending(path: &Path) -> anyhow::Result<File> {
    Ok(OpenOptions::new().create(true).append(true).open(path)?)
}
