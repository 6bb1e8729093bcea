//! Detects whether memory of this process may be swapped out, now or at any time since the watch began.
//!
//! wasmtime 48 finds the pages that a guest has written by scanning the page map, and wipes only pages that are in memory. A
//! page that is swapped out at that moment is not wiped, and the next instance in its place can read it. wasmtime 50.0.1 wipes
//! such pages as well: once that is in use, this module can go.

mod cgroup;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use aviary_state::Mutex;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;

use crate::runtime::machine::swap::cgroup::Limit;

/// Tells an operator how to get the faster way of wiping back.
pub(crate) const ADVICE: &str = "set MemorySwapMax=0 in the host's systemd unit, or memory.swap.max of its cgroup to 0, or \
                                 turn swap off with swapoff; then restart the host";
/// The system's list of swap areas. Polling it tells whether the list has changed since the last poll.
const SWAPS: &str = "/proc/swaps";

/// The state of swapping for the memory of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// This machine has no swap.
    NoSwap,
    /// A cgroup allows its processes no swap; the path is that of the limit.
    RuledOut(PathBuf),
    /// Memory may be swapped out, or the system does not tell.
    Swappable,
}

impl Exposure {
    /// Determines the present state.
    pub(crate) fn now() -> Self {
        match cgroup::limit() {
            Some(limit) => Self::RuledOut(limit.path),
            None if swap_bytes() == 0 => Self::NoSwap,
            None => Self::Swappable,
        }
    }
}

/// Notices that memory could have been swapped out since the watch began, even if it cannot be any more.
#[derive(Debug)]
pub(in crate::runtime) struct SwapWatch {
    reason: SwapReason,
    broken: AtomicBool,
}

/// Why memory cannot be swapped out.
#[derive(Debug)]
enum SwapReason {
    /// A cgroup allows no swap.
    Limit(Limit),
    /// There is no swap. The system reports a change of the open list to one poll only, so one thread polls at a time.
    NoSwap(Mutex<File>),
}

impl SwapWatch {
    /// Returns `None` if memory may be swapped out already, or if a later change would go unnoticed.
    pub(in crate::runtime) fn begin() -> Option<Self> {
        let reason = match cgroup::limit() {
            Some(limit) => SwapReason::Limit(limit),
            None => {
                // Opened before the size is read, so that no change falls between the two.
                let swaps = File::open(SWAPS).ok()?;
                (swap_bytes() == 0).then(|| SwapReason::NoSwap(Mutex::new(swaps)))?
            }
        };
        Some(Self { reason, broken: AtomicBool::new(false) })
    }

    /// Asks the kernel whether memory could have been swapped out. Takes about half a microsecond.
    ///
    /// The total size is right as soon as a page can be swapped out, while the kernel reports a change of the list a little
    /// later. The total alone would miss swap that was turned on and off again since the last check.
    pub(in crate::runtime) fn is_broken(&self) -> bool {
        if self.was_broken() {
            return true;
        }
        let holds = match &self.reason {
            SwapReason::Limit(limit) => limit.holds(),
            SwapReason::NoSwap(swaps) => swap_bytes() == 0 && !self.has_changed(swaps),
        };
        if !holds {
            self.broken.store(true, Ordering::Release);
        }
        !holds
    }

    /// Like `is_broken`, and also checks whether the process is still in the same cgroup, which takes longer.
    pub(in crate::runtime) fn is_broken_looking_closely(&self) -> bool {
        if let SwapReason::Limit(limit) = &self.reason
            && !limit.applies()
        {
            self.broken.store(true, Ordering::Release);
        }
        self.is_broken()
    }

    /// Returns the result of earlier checks, without asking the kernel.
    pub(in crate::runtime) fn was_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Tells whether the list has changed, including changes that another thread has just seen.
    fn has_changed(&self, swaps: &Mutex<File>) -> bool {
        let swaps = swaps.lock();
        let mut asked = [PollFd::new(&*swaps, PollFlags::PRI)];
        // A poll that fails tells nothing, so the worst is assumed.
        let changed = poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(0);
        if changed {
            // Set before the lock is released, because the next poll does not report the change again.
            self.broken.store(true, Ordering::Release);
        }
        changed || self.was_broken()
    }
}

/// Returns the size of all swap areas together.
#[cfg(target_os = "linux")]
fn swap_bytes() -> u64 {
    rustix::system::sysinfo().totalswap as u64
}

/// Other systems have no page map that wasmtime could scan.
#[cfg(not(target_os = "linux"))]
fn swap_bytes() -> u64 {
    u64::MAX
}

fn reads_zero(file: &File) -> bool {
    let mut text = [0; 16];
    file.read_at(&mut text, 0).is_ok_and(|length| text[..length].trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_raised_is_noticed_and_stays_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0\n").unwrap();
        let limit = Limit {
            path: file.path().to_owned(),
            open: file.reopen().unwrap(),
            cgroup: String::new(),
        };
        let watch = SwapWatch { reason: SwapReason::Limit(limit), broken: AtomicBool::new(false) };
        assert!(!watch.is_broken());
        for raised in ["1048576\n", "max\n"] {
            std::fs::write(file.path(), raised).unwrap();
            assert!(watch.is_broken(), "{raised}");
        }
        std::fs::write(file.path(), "0\n").unwrap();
        assert!(watch.is_broken(), "a page may have gone out meanwhile");
    }

    #[test]
    fn a_change_that_one_thread_was_told_of_counts_for_all() {
        let watch = SwapWatch {
            reason: SwapReason::NoSwap(Mutex::new(File::open(SWAPS).unwrap())),
            broken: AtomicBool::new(true),
        };
        let SwapReason::NoSwap(swaps) = &watch.reason else { unreachable!() };
        assert!(watch.has_changed(swaps));
    }
}
