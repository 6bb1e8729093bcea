//! Resources of the host: before a siege, at its peak, and after it.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aviary_e2e::host::HostProcess;
use aviary_e2e::usage::Usage;
use tokio::time::Instant;

/// Time between two samples.
const INTERVAL: Duration = Duration::from_millis(50);
/// Time limit for the host to come to rest: idle threads end after ten seconds, silent connections after the same time, and a
/// call when its deadline is over.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
/// Tolerated number of additional open files: a host that compiles has one more file of compiled functions open, and a sample
/// during a click counts its connection.
const FILES_MORE: usize = 16;
/// Tolerated number of additional threads, because waiting threads come and go.
const THREADS_MORE: usize = 8;

/// Resources at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Residue {
    usage: Usage,
    temporary_files: usize,
}

impl Residue {
    pub(super) fn of(host: &HostProcess, temporary: &Path) -> anyhow::Result<Self> {
        let temporary_files = std::fs::read_dir(temporary)?.count();
        Ok(Self { usage: host.usage()?, temporary_files })
    }

    /// Waits until the host uses no more than before, and returns its resources; after a minute it returns them in any case.
    pub(super) async fn settled(
        host: &HostProcess,
        temporary: &Path,
        before: &Self,
    ) -> anyhow::Result<Self> {
        let began = Instant::now();
        loop {
            let now = Self::of(host, temporary)?;
            if now.beyond(before).is_empty() || began.elapsed() > SETTLES_WITHIN {
                return Ok(now);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    pub(super) fn memory(&self) -> u64 {
        self.usage.memory
    }

    /// Describes the resources that exceed those before.
    pub(super) fn beyond(&self, before: &Self) -> Vec<String> {
        let (now, then) = (&self.usage, &before.usage);
        let counts = [
            ("open files", now.open_files, then.open_files + FILES_MORE),
            ("threads", now.threads, then.threads + THREADS_MORE),
            ("child processes", now.children, then.children),
            ("temporary files", self.temporary_files, before.temporary_files),
        ];
        let more = counts.into_iter().filter(|(_, now, most)| now > most);
        more.map(|(what, now, most)| format!("{now} {what}, {most} at most")).collect()
    }
}

/// Peak of the observed memory, in bytes.
#[derive(Default)]
pub(super) struct Peak {
    host: AtomicU64,
    children: AtomicU64,
}

impl Peak {
    /// Samples until the process is gone.
    pub(super) async fn watch(&self, host: &HostProcess) -> anyhow::Result<()> {
        loop {
            let usage = host.usage()?;
            self.host.fetch_max(usage.memory, Ordering::Relaxed);
            self.children.fetch_max(usage.memory_of_children, Ordering::Relaxed);
            tokio::time::sleep(INTERVAL).await;
        }
    }

    pub(super) fn of_the_host(&self) -> u64 {
        self.host.load(Ordering::Relaxed)
    }

    pub(super) fn of_children(&self) -> u64 {
        self.children.load(Ordering::Relaxed)
    }
}
