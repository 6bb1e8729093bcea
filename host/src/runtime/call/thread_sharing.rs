//! Calls that take long take turns, so that those that do not find a thread free.
//!
//! Measured on two cores, eight plugins with a hundred endless calls, a hundred clicks a second on a healthy one, 99 of
//! 100 of them: 1.1 ms without runaways; with them 4.9 ms when all calls share the threads, 3.8 ms when long ones take
//! turns, and 1.0 ms when each turn also ends with the core offered to whoever waits for it. Timers of the I/O threads
//! were 4 ms, 3 ms and 2 ms late.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Semaphore;

/// Time on a thread after which a call is no longer one of those that a user waits for: a healthy one is over in a
/// millisecond or two.
const LONG: Duration = Duration::from_millis(20);

/// How many long calls may have a thread at the same time: half of the threads, so that the others, and the cores they
/// run on, are there for short calls and for I/O. Where there is one thread it is shared by turns as well.
pub(in crate::runtime) fn long_turns(threads: usize) -> Semaphore {
    Semaphore::new((threads / 2).max(1))
}

/// Runs `call`; once it has had a thread for long, only when it is its turn. Says how long it had one.
pub(in crate::runtime) async fn take_turns<T>(
    call: impl Future<Output = T>,
    long: &Semaphore,
) -> (T, Duration) {
    let mut call = pin!(call);
    let mut used = Duration::ZERO;
    loop {
        // The semaphore is never closed, and it is fair: who has waited longest is next.
        let turn = if used >= LONG { long.acquire().await.ok() } else { None };
        let step = poll_fn(|context| {
            let began = Instant::now();
            let step = call.as_mut().poll(context);
            used += began.elapsed();
            Poll::Ready(step)
        });
        if let Poll::Ready(done) = step.await {
            return (done, used);
        }
        if turn.is_some() {
            // A thread that wants this core would otherwise wait for the scheduler's slice, which is milliseconds.
            std::thread::yield_now();
        }
        drop(turn);
        // What the call waits for wakes this task, or has done so already where it only gave way.
        let mut woken = false;
        poll_fn(|_| {
            let was_woken = std::mem::replace(&mut woken, true);
            if was_woken { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
