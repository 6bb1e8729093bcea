//! File work of the running host, on threads that may hang without harm.

use std::path::Path;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::oneshot;

use crate::small_file::ReadError;
use crate::small_file::ReadFault;

/// A read that hangs keeps its thread until the file system answers. So many may hang before further reads are refused.
const THREADS: usize = 16;
/// The largest plugin has 256 MiB, which a slow network file system delivers in this time.
const PATIENCE: Duration = Duration::from_secs(30);

static FREE: Semaphore = Semaphore::const_new(THREADS);

/// Does file work on a thread of its own. `about` is the path that an error names.
///
/// It is no thread of the runtime's pool: a runtime waits for its threads when it ends, and one that hangs would keep the
/// process from ending.
pub async fn off_thread<T, E>(
    about: &Path,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<ReadError> + Send + 'static,
{
    off_thread_of(&FREE, PATIENCE, about, work).await
}

async fn off_thread_of<T, E>(
    free: &'static Semaphore,
    patience: Duration,
    about: &Path,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<ReadError> + Send + 'static,
{
    let failed = |fault: ReadFault| ReadError::new(about, fault);
    let place = tokio::time::timeout(patience, free.acquire()).await;
    // The semaphore is never closed, so the only failure is the timeout.
    let Ok(Ok(place)) = place else { return Err(failed(ReadFault::Busy(THREADS)).into()) };
    let (done, result) = oneshot::channel();
    let thread = move || {
        let result = work();
        drop(place);
        // The caller may have given up.
        let _ = done.send(result);
    };
    std::thread::Builder::new()
        .name("file".to_owned())
        .spawn(thread)
        .map_err(|error| failed(error.into()))?;
    match tokio::time::timeout(patience, result).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => {
            Err(failed(std::io::Error::other("the reading thread panicked").into()).into())
        }
        Err(_) => Err(failed(ReadFault::Slow(patience)).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_that_never_returns_is_given_up_and_counted() {
        static FREE: Semaphore = Semaphore::const_new(2);
        let patience = Duration::from_millis(50);
        let path = Path::new("x");
        let mut stuck = Vec::new();
        for _ in 0..2 {
            let (release, wait) = mpsc::channel::<()>();
            stuck.push(release);
            let work = move || {
                // Ends when the test drops its end.
                let _ = wait.recv();
                Ok::<(), ReadError>(())
            };
            let error = off_thread_of(&FREE, patience, path, work).await.unwrap_err();
            assert!(matches!(error.fault, ReadFault::Slow(_)), "{error}");
        }
        let refused = off_thread_of(&FREE, patience, path, || Ok::<(), ReadError>(())).await;
        assert!(matches!(refused.unwrap_err().fault, ReadFault::Busy(_)));
        drop(stuck);
        let long = Duration::from_secs(30);
        let now = off_thread_of(&FREE, long, path, || Ok::<_, ReadError>(7)).await;
        assert_eq!(now.unwrap(), 7, "the places are free again");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_that_file() {
        let work = || -> Result<(), ReadError> { panic!("on purpose") };
        let error = off_thread(Path::new("x"), work).await.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
