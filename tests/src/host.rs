//! The real binary in a process of its own: its log, its addresses, its end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;
use aviary::telemetry::events;

use crate::PATIENCE;
use crate::artifacts;
use crate::child::Supervised;
use crate::eventually::eventually;
use crate::http::Request;
use crate::http::Response;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::usage;
use crate::usage::Usage;

/// Time between two polls of a process whose end is timed.
const POLL: Duration = Duration::from_millis(10);

/// A running host. Killed when dropped.
pub struct HostProcess {
    child: Supervised,
}

/// A process that compiles a plugin for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compiler {
    id: u32,
}

impl Compiler {
    /// Returns true while the process runs. A zombie does not count as running.
    pub fn is_running(self) -> bool {
        self.stat(0).is_some_and(|state| state != "Z" && state != "X")
    }

    /// Returns the memory in use, in bytes; 0 once the process has ended.
    pub fn memory(self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() * 1024
    }

    /// Returns a field of `/proc/PID/stat`, counted from the one behind the program's name; see `proc(5)`.
    fn stat(self, field: usize) -> Option<String> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id)).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        fields.split(' ').nth(field).map(str::to_owned)
    }
}

/// The end of a host process.
#[derive(Debug)]
pub struct Exit {
    /// The exit status of the process.
    pub status: ExitStatus,
    /// Time from the signal to the end.
    pub took: Duration,
}

impl HostProcess {
    /// Starts `aviary` with these arguments in that folder. It gets `environment`, and no other variables that could configure a
    /// host.
    pub fn start(
        arguments: &[&str],
        folder: &Path,
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        Self::start_program(&artifacts::host_binary()?, arguments, folder, environment)
    }

    /// Starts another program that contains a host.
    pub fn start_program(
        program: &Path,
        arguments: &[&str],
        folder: &Path,
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            // A proxy of this machine must not see requests that stay on loopback.
            let text = name.to_string_lossy().to_ascii_uppercase();
            if text.starts_with("AVIARY_") || text.ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        // The host keeps its compiled code in its own folder, which is deleted with the test.
        command.env("XDG_CACHE_HOME", folder.join("caches"));
        command.args(arguments).current_dir(folder).envs(environment.iter().cloned());
        command.stdin(Stdio::null());
        Ok(Self { child: Supervised::start("the host", &mut command)? })
    }

    /// Returns the host's standard error.
    pub fn log(&self) -> &Log {
        self.child.log()
    }

    /// Returns the host's standard output.
    pub fn stdout(&self) -> &Log {
        self.child.stdout()
    }

    /// Waits until the webhook listens, and returns its address.
    pub async fn webhook(&self) -> anyhow::Result<SocketAddr> {
        self.address("webhook").await
    }

    /// Waits until the admin port listens, and returns its address: it serves `/healthz`, `/readyz` and `/metrics`.
    pub async fn admin(&self) -> anyhow::Result<SocketAddr> {
        self.address("admin").await
    }

    async fn address(&self, what: &str) -> anyhow::Result<SocketAddr> {
        let line = self.log().wait_for(events::LISTENING, &[("what", what)]).await?;
        line.text_of("address").parse().with_context(|| format!("no address in {}", line.text()))
    }

    /// Reads the current counters.
    pub async fn metrics(&self) -> anyhow::Result<Metrics> {
        Metrics::scrape(self.admin().await?).await
    }

    /// Waits until `holds` accepts the counters, and returns them.
    pub async fn wait_for_metrics(
        &self,
        what: &str,
        holds: impl Fn(&Metrics) -> bool,
    ) -> anyhow::Result<Metrics> {
        let mut last = None;
        let found = eventually(what, async || {
            let metrics = self.metrics().await?;
            if holds(&metrics) {
                return Ok(Some(metrics));
            }
            last = Some(metrics);
            Ok(None)
        });
        let found = found.await;
        found.with_context(|| format!("the last metrics were {last:#?}"))
    }

    /// Waits until `/readyz` answers with that status.
    pub async fn wait_for_readyz(&self, status: u16) -> anyhow::Result<Response> {
        let admin = self.admin().await?;
        let mut last = String::new();
        let found = eventually("/readyz has that status", async || {
            let response = Request::get("/readyz").send(admin).await?;
            last = format!("{} {}", response.status, response.text());
            Ok((response.status == status).then_some(response))
        });
        let found = found.await;
        found.with_context(|| format!("/readyz is to be {status}, and was last {last}"))
    }

    /// Returns the host's resident memory, in bytes.
    pub fn memory(&self) -> anyhow::Result<u64> {
        usage::memory(self.child.id())
    }

    /// Returns the bytes of the host's memory that are swapped out.
    pub fn swapped_memory(&self) -> anyhow::Result<u64> {
        usage::swapped_memory(self.child.id())
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the resources that the host and its children use.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.child.id())
    }

    /// Returns the processes in which the host compiles plugins at this moment.
    #[cfg(target_os = "linux")]
    pub fn compilers(&self) -> anyhow::Result<Vec<Compiler>> {
        let parent = self.child.id().to_string();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let Ok(id) = entry?.file_name().to_string_lossy().parse() else { continue };
            let compiler = Compiler { id };
            if compiler.stat(1).is_some_and(|id| id == parent) && compiler.is_running() {
                found.push(compiler);
            }
        }
        Ok(found)
    }

    /// Returns the processor time of all the host's threads together.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut total = Duration::ZERO;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread that has just ended has used a negligible time.
            let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            let ran = text.split(' ').next().unwrap_or_default();
            total += Duration::from_nanos(ran.parse().with_context(|| text.clone())?);
        }
        Ok(total)
    }

    /// Returns the soft and the hard limit of open files.
    pub fn open_files_limit(&self) -> anyhow::Result<(String, String)> {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id()))?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let mut words = line.context("no such limit")?.split_whitespace();
        let mut next = || words.next().map(str::to_owned).context("two numbers");
        Ok((next()?, next()?))
    }

    /// Sends SIGTERM, as a service manager does.
    pub fn ask_to_stop(&self) -> anyhow::Result<()> {
        let process = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let process = process.context("a child has a process id")?;
        rustix::process::kill_process(process, rustix::process::Signal::TERM)
            .context("cannot send SIGTERM")
    }

    /// Kills the host with SIGKILL, as the system does when memory runs out.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the host")?;
        self.wait().await.map(drop)
    }

    /// Waits for the first `127.0.0.1:…` in either output.
    pub async fn printed_address(&self) -> anyhow::Result<SocketAddr> {
        eventually("an address in what the host printed", async || {
            let said = self.stdout().text() + &self.log().text();
            let address = said
                .split("127.0.0.1:")
                .nth(1)
                .map(|rest| rest.chars().take_while(char::is_ascii_digit));
            if let Some(port) =
                address.map(|digits| digits.collect::<String>()).filter(|port| port != "0")
            {
                let address = SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port.parse()?));
                return Ok(Some(address));
            }
            Ok(None)
        })
        .await
    }

    /// Waits until the host has ended.
    pub async fn wait(&mut self) -> anyhow::Result<Exit> {
        self.wait_at_most(PATIENCE).await
    }

    /// Waits until the host has ended, at most this long.
    pub async fn wait_at_most(&mut self, limit: Duration) -> anyhow::Result<Exit> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.ended()? {
                let took = started.elapsed();
                // The last lines may still be in the pipe.
                self.log().wait_for_end().await?;
                self.stdout().wait_for_end().await?;
                return Ok(Exit { status, took });
            }
            if started.elapsed() > limit {
                bail!(
                    "the log ends:\n{}\nthe host still runs after {limit:?}",
                    self.child.last_words()
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sends SIGTERM and waits until the host has ended.
    pub async fn terminate(&mut self) -> anyhow::Result<Exit> {
        self.ask_to_stop()?;
        self.wait().await
    }

    /// Returns the peak of the host's resident memory, in bytes.
    #[cfg(target_os = "linux")]
    pub fn largest_memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kibibytes.context("/proc has VmHWM")?.parse::<u64>()? * 1024)
    }

    /// Returns true while the host runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.ended(), Ok(None))
    }
}
