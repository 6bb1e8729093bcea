//! The compiler's threads. A compilation is not urgent, but users wait for the plugins that run meanwhile, so compiling uses
//! idle processor time only. If there is none, it gets a small share.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use std::time::Instant;

use aviary_state::Mutex;
use rayon::ThreadPool;
use rayon::ThreadPoolBuildError;
use rayon::ThreadPoolBuilder;

use crate::runtime::thread_priority::lower_priority;
use crate::runtime::thread_priority::use_idle_priority;

/// Niceness of threads with a share: behind guests, which have users waiting. At 15, a plugin of 100 kB waited for more than
/// half a minute on a machine with eight times as many busy threads as cores.
pub(in crate::runtime) const NICENESS: i32 = 10;
/// The interval at which the processor time is read.
const LOOK: Duration = Duration::from_millis(100);
/// Idle threads that get less than one in so many parts of one core count as starved.
const LEAST_SHARE: u32 = 4;

/// Threads that run only while no other thread of the machine wants to, and perhaps threads with a share.
pub(super) struct Pools {
    threads: usize,
    idle: Pool,
    /// Started once the idle threads are starved.
    share: Option<Pool>,
    began: Instant,
}

impl Pools {
    /// Starts idle threads. As many threads with a share follow if those are starved.
    pub(super) fn start(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let idle = Pool::start(threads, CompilerPriority::Idle)?;
        Ok(Self { threads, idle, share: None, began: Instant::now() })
    }

    /// Runs `work`; the tasks that wasmtime runs in parallel stay on the same threads. If the idle threads are starved, `work`
    /// is also begun on threads with a share, because a thread's priority cannot be raised again; functions that are compiled
    /// already are found in the store. The first result counts. `None` if `work` panicked.
    ///
    /// `ran` is called regularly with the processor time of all threads together.
    pub(super) fn run<T: Send + 'static>(
        &mut self,
        work: impl Fn() -> T + Clone + Send + 'static,
        mut ran: impl FnMut(Duration),
    ) -> Option<T> {
        let (sender, result) = sync_channel(2);
        self.idle.begin(work.clone(), sender.clone());
        let (mut before, mut since) = (self.idle.ran(), Instant::now());
        loop {
            match result.recv_timeout(LOOK) {
                Ok(result) => return result,
                // This function still holds a sender.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            ran(self.processor_time());
            let now = self.idle.ran();
            // Threads that have not started have no record. Without records, starvation cannot be noticed.
            if self.share.is_none()
                && let (Some(earlier), Some(later)) = (before, now)
                && later.saturating_sub(earlier) < since.elapsed() / LEAST_SHARE
                && let Ok(share) = Pool::start(self.threads, CompilerPriority::Share)
            {
                share.begin(work.clone(), sender.clone());
                self.share = Some(share);
            }
            (before, since) = (now, Instant::now());
        }
    }

    /// Returns the processor time of all threads, or the time since the start if the system keeps no record.
    fn processor_time(&self) -> Duration {
        let share = self.share.as_ref().and_then(Pool::ran).unwrap_or_default();
        self.idle.ran().map_or_else(|| self.began.elapsed(), |idle| idle + share)
    }
}

/// The share of the cores that threads get.
#[derive(Clone, Copy)]
enum CompilerPriority {
    /// Threads run only when no other thread of the machine wants the core.
    Idle,
    /// Threads run seldom, but surely.
    Share,
}

struct Pool {
    threads: ThreadPool,
    /// The files in which the system counts the processor time of each thread.
    records: Arc<Mutex<Vec<PathBuf>>>,
}

impl Pool {
    fn start(threads: usize, priority: CompilerPriority) -> Result<Self, ThreadPoolBuildError> {
        let records: Arc<Mutex<Vec<_>>> = Arc::default();
        let known = Arc::clone(&records);
        let threads = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|_| "compile".to_owned())
            .start_handler(move |_| {
                let is_idle = match priority {
                    CompilerPriority::Idle => use_idle_priority(),
                    CompilerPriority::Share => false,
                };
                if !is_idle {
                    lower_priority(NICENESS);
                }
                known.lock().extend(record());
            })
            .build()?;
        Ok(Self { threads, records })
    }

    fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        done: SyncSender<Option<T>>,
    ) {
        self.threads.spawn(move || {
            // There is no receiver once the other pool has finished first.
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)).ok());
        });
    }

    /// Returns the processor time of all threads together.
    fn ran(&self) -> Option<Duration> {
        let records = self.records.lock();
        let ran = |record: &PathBuf| {
            let text = std::fs::read_to_string(record).ok()?;
            text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
        };
        records.iter().map(ran).reduce(|sum, ran| Some(sum? + ran?)).flatten()
    }
}

/// Returns the file in which the system counts this thread's processor time, if it does.
fn record() -> Option<PathBuf> {
    let this = std::fs::read_link("/proc/thread-self").ok()?;
    Some(Path::new("/proc").join(this).join("schedstat"))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn work_is_done_once_where_something_is_left() {
        let mut pools = Pools::start(1).unwrap();
        assert_eq!(pools.run(|| 1, drop), Some(1));
        assert_eq!(pools.run(|| panic!("a fault of the compiler"), drop), None::<()>);
        assert_eq!(pools.run(|| 2, drop), Some(2), "the thread goes on");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_gets_nothing_is_given_a_share() {
        let mut pools = Pools::start(1).unwrap();
        let held = Arc::new(Barrier::new(2));
        let (holder, idle) =
            (Arc::clone(&held), pools.idle.threads.install(|| std::thread::current().id()));
        // This looks like a thread that no core has time for: there is work, and it does not run.
        pools.idle.threads.spawn(move || {
            holder.wait();
        });
        let by = pools.run(|| std::thread::current().id(), drop);
        held.wait();
        assert!(by.is_some_and(|by| by != idle));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_processor_time_is_told() {
        let mut told = Duration::ZERO;
        let work = || {
            let began = Instant::now();
            while began.elapsed() < LOOK * 10 {
                std::hint::spin_loop();
            }
        };
        Pools::start(1).unwrap().run(work, |ran| told = ran).unwrap();
        assert!(told > Duration::ZERO && told < LOOK * 40, "{told:?}");
    }
}
