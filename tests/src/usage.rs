//! Resources that a process and its children use, as Linux reports them.

use std::path::Path;

use anyhow::Context as _;

/// Resources of a process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory of the process itself, in bytes.
    pub memory: u64,
    /// Resident memory of all descendants, in bytes.
    pub memory_of_children: u64,
    /// Open files and sockets of the process itself.
    pub open_files: usize,
    /// Threads of the process itself.
    pub threads: usize,
    /// Number of all descendants.
    pub children: usize,
}

impl Usage {
    /// Measures the process with that id.
    pub fn of(process: u32) -> anyhow::Result<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let count = |name: &str| anyhow::Ok(std::fs::read_dir(folder.join(name))?.count());
        let mut usage = Self {
            memory: memory(process)?,
            open_files: count("fd")?,
            threads: count("task")?,
            ..Self::default()
        };
        let mut parents = vec![process];
        while let Some(parent) = parents.pop() {
            for child in children(parent) {
                // A child that has just ended uses nothing.
                usage.memory_of_children += memory(child).unwrap_or_default();
                usage.children += 1;
                parents.push(child);
            }
        }
        Ok(usage)
    }
}

/// Returns the resident memory of a process, in bytes.
pub(crate) fn memory(process: u32) -> anyhow::Result<u64> {
    status_bytes(process, "VmRSS:")
}

/// Returns the bytes of a process's memory that are swapped out.
pub(crate) fn swapped_memory(process: u32) -> anyhow::Result<u64> {
    status_bytes(process, "VmSwap:")
}

fn status_bytes(process: u32, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.with_context(|| format!("no {name}"))?.parse::<u64>()? * 1024)
}

/// Lists the children of all threads of that process; none if it has ended.
fn children(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let lists = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let ids = |list: String| -> Vec<u32> {
        list.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    };
    lists.flat_map(ids).collect()
}
