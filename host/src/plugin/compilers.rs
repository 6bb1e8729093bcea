//! The threads that compile. Nobody waits for a compiler in milliseconds, and users wait for the plugins that run meanwhile:
//! so what is compiled gets what is left of the machine. Where nothing is left, it is given a share.

use std::path::Path;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rayon::ThreadPool;
use rayon::ThreadPoolBuildError;
use rayon::ThreadPoolBuilder;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::plugin::priority::step_back;
use crate::plugin::priority::take_what_is_left;

/// Behind guests, which have users waiting. At 15, a plugin of 100 kB waited for more than half a minute on a machine with
/// eight times as many busy threads as cores.
const NICENESS: i32 = 10;
/// How often it is looked at how much is left.
const LOOK: Duration = Duration::from_millis(100);
/// Less than one in so many parts of one core is nothing.
const LEAST_SHARE: u32 = 4;

/// See the module.
pub(super) struct Compilers {
    leftovers: Leftovers,
    /// For what must not wait until something is left.
    share: ThreadPool,
    later: TaskTracker,
}

impl Compilers {
    /// Starts so many threads of each kind; only those of one kind are at work, but where the machine had nothing left.
    pub(super) fn start(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        Ok(Self {
            leftovers: Leftovers::start(threads)?,
            share: pool(threads, || step_back(NICENESS))?,
            later: TaskTracker::new(),
        })
    }

    /// Runs `work`; what wasmtime does in parallel stays on the same threads. It is begun once more on the others where those
    /// that it was begun on get nothing of the machine: they cannot be given more, and what they have compiled is found in the
    /// cache of functions. Whoever is first is listened to. None if it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Fn() -> T + Clone + Send + 'static,
    ) -> Option<T> {
        let mut first = pin!(begin(&self.leftovers.pool, work.clone()));
        tokio::select! {
            done = &mut first => return done.ok(),
            () = self.leftovers.get_nothing() => {
                tracing::debug!("nothing is left for compiling: it gets a share");
            }
        }
        let second = begin(&self.share, work);
        tokio::select! {
            done = first => done.ok(),
            done = second => done.ok(),
        }
    }

    /// Runs `work`, once, after what waits already: a moment's writing to the disk. Callbacks need not wait for it.
    pub(super) fn run_later(&self, work: impl FnOnce() + Send + 'static) {
        let token = self.later.token();
        self.share.spawn_fifo(move || {
            work();
            drop(token);
        });
    }

    /// Until nothing is left of that.
    pub(super) async fn finish(&self) {
        self.later.close();
        self.later.wait().await;
    }
}

/// Threads that run while no other thread of the machine wants to.
struct Leftovers {
    pool: ThreadPool,
    /// Where the system says how long each of them ran. None where they are threads like any other.
    records: Arc<Mutex<Vec<PathBuf>>>,
}

impl Leftovers {
    fn start(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let records: Arc<Mutex<Vec<_>>> = Arc::default();
        let known = Arc::clone(&records);
        let pool = pool(threads, move || {
            if take_what_is_left() {
                known.lock().unwrap_or_else(PoisonError::into_inner).extend(record());
            } else {
                step_back(NICENESS);
            }
        })?;
        Ok(Self { pool, records })
    }

    /// Until they get too little, for whoever has work for them.
    async fn get_nothing(&self) {
        let (mut before, mut since) = (self.ran(), Instant::now());
        loop {
            tokio::time::sleep(LOOK).await;
            let ran = self.ran();
            // Threads that have yet to start have no record, and where the system keeps none they are left to it.
            if let (Some(earlier), Some(later)) = (before, ran)
                && later.saturating_sub(earlier) < since.elapsed() / LEAST_SHARE
            {
                return;
            }
            (before, since) = (ran, Instant::now());
        }
    }

    /// How long all of them together have run.
    fn ran(&self) -> Option<Duration> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let ran = |record: &PathBuf| {
            let text = std::fs::read_to_string(record).ok()?;
            text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
        };
        records.iter().map(ran).reduce(|sum, ran| Some(sum? + ran?)).flatten()
    }
}

/// Where the system counts for this thread, if it does.
fn record() -> Option<PathBuf> {
    let this = std::fs::read_link("/proc/thread-self").ok()?;
    Some(Path::new("/proc").join(this).join("schedstat"))
}

fn pool(
    threads: usize,
    at_start: impl Fn() + Send + Sync + 'static,
) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|_| "compile".to_owned())
        .start_handler(move |_| at_start())
        // The one who waits for the plugin sees that there is none; without this the process would end.
        .panic_handler(|_| tracing::error!("the compiler panicked"))
        .build()
}

fn begin<T: Send + 'static>(
    pool: &ThreadPool,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, result) = oneshot::channel();
    pool.spawn_fifo(move || {
        // Nobody waits any more once another thread was first, or the host is stopping.
        if !sender.is_closed() {
            let _ = sender.send(work());
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn work_is_done_once_where_something_is_left() {
        let compilers = Compilers::start(1).unwrap();
        assert_eq!(compilers.run(|| 1).await, Some(1));
        assert_eq!(compilers.run(|| panic!("a fault of the compiler")).await, None::<()>);
        assert_eq!(compilers.run(|| 2).await, Some(2), "the thread goes on");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_gets_nothing_is_given_a_share() {
        let compilers = Compilers::start(1).unwrap();
        let held = Arc::new(Barrier::new(2));
        let holder = Arc::clone(&held);
        // As a thread that no core has time for: there is something to do, and it does not run.
        let holding = begin(&compilers.leftovers.pool, move || holder.wait());
        let doing = compilers.run(|| std::thread::current().id());
        let (by, ()) = tokio::join!(doing, async {
            // Long enough for both to be seen, should the first wait for its turn.
            tokio::time::sleep(LOOK * 3).await;
            held.wait();
        });
        let first = compilers.leftovers.pool.install(|| std::thread::current().id());
        assert!(by.is_some_and(|by| by != first));
        holding.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_to_be_done_later_is_waited_for() {
        let compilers = Compilers::start(1).unwrap();
        let (done, seen) = std::sync::mpsc::channel();
        for number in 0..3 {
            let done = done.clone();
            compilers.run_later(move || done.send(number).unwrap());
        }
        compilers.finish().await;
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
