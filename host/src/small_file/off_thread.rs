//! Does file work of the running host on threads that may hang without harm.

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Weak;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::sync::Semaphore;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::small_file::ReadError;
use crate::small_file::ReadFault;

/// The most threads. A read that hangs keeps its thread until the file system answers; if this many hang, further reads are
/// refused.
const THREADS: usize = 32;
/// The most threads for one path, which is usually a plugins folder. So one folder that hangs leaves threads to all others.
const THREADS_FOR_A_PATH: usize = 4;
/// Time limit of one read. The largest plugin has 256 MiB, which a slow network file system delivers in this time.
const PATIENCE: Duration = Duration::from_secs(30);

static THREADS_OF_THE_PROCESS: LazyLock<Threads> = LazyLock::new(|| Threads::new(PATIENCE));

/// Does file work on a thread of its own. `about` is the path that an error names.
///
/// The thread is not one of the runtime's: a runtime waits for its threads when it ends, so one that hangs would keep the process
/// from ending.
pub async fn off_thread<T, E>(
    about: &Path,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<ReadError> + Send + 'static,
{
    THREADS_OF_THE_PROCESS.run(about, work).await
}

/// The permits for threads, overall and by path.
struct Threads {
    patience: Duration,
    free: Arc<Semaphore>,
    free_for: Mutex<HashMap<PathBuf, Weak<Semaphore>>>,
}

impl Threads {
    fn new(patience: Duration) -> Self {
        let free = Arc::new(Semaphore::new(THREADS));
        Self { patience, free, free_for: Mutex::default() }
    }

    fn free_for(&self, path: &Path) -> Arc<Semaphore> {
        let mut all = self.free_for.lock();
        if let Some(free) = all.get(path).and_then(Weak::upgrade) {
            return free;
        }
        // Removes paths that no thread works on.
        all.retain(|_, free| free.strong_count() > 0);
        let free = Arc::new(Semaphore::new(THREADS_FOR_A_PATH));
        all.insert(path.to_owned(), Arc::downgrade(&free));
        free
    }

    async fn run<T, E>(
        &self,
        about: &Path,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<ReadError> + Send + 'static,
    {
        let failed = |fault: ReadFault| E::from(ReadError::new(about, fault));
        let mut places = Vec::with_capacity(2);
        for (free, count) in
            [(self.free_for(about), THREADS_FOR_A_PATH), (Arc::clone(&self.free), THREADS)]
        {
            // The semaphores are never closed, so the only failure is the timeout.
            match timeout(self.patience, free.acquire_owned()).await {
                Ok(Ok(place)) => places.push(place),
                Ok(Err(_)) | Err(_) => return Err(failed(ReadFault::Busy(count))),
            }
        }
        let (done, result) = oneshot::channel();
        let thread = move || {
            let result = work();
            drop(places);
            // Sending fails if the caller gave up waiting.
            let _ = done.send(result);
        };
        std::thread::Builder::new()
            .name("file".to_owned())
            .spawn(thread)
            .map_err(|error| failed(error.into()))?;
        match timeout(self.patience, result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                let panicked = std::io::Error::other("the reading thread panicked");
                Err(failed(panicked.into()))
            }
            Err(_) => Err(failed(ReadFault::Slow(self.patience))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn work_that_never_returns_is_given_up_and_counted() {
        let mut threads = Threads::new(BRIEF);
        let (hangs, other) = (Path::new("hangs"), Path::new("other"));
        let mut stuck = Vec::new();
        for _ in 0..THREADS_FOR_A_PATH {
            let (release, wait) = mpsc::channel::<()>();
            stuck.push(release);
            let work = move || {
                // Ends when the test drops its end.
                let _ = wait.recv();
                Ok::<(), ReadError>(())
            };
            let error = threads.run(hangs, work).await.unwrap_err();
            assert!(matches!(error.fault, ReadFault::Slow(_)), "{error}");
        }
        let refused = threads.run(hangs, || Ok::<(), ReadError>(())).await;
        assert!(matches!(refused.unwrap_err().fault, ReadFault::Busy(_)));
        threads.patience = PATIENCE;
        let meanwhile = threads.run(other, || Ok::<_, ReadError>(7)).await;
        assert_eq!(meanwhile.unwrap(), 7, "another path has places of its own");
        drop(stuck);
        let now = threads.run(hangs, || Ok::<_, ReadError>(7)).await;
        assert_eq!(now.unwrap(), 7, "the places are free again");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_that_file() {
        let work = || -> Result<(), ReadError> { panic!("on purpose") };
        let error = off_thread(Path::new("x"), work).await.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
