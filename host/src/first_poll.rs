//! Polls a future once where it is started, and moves it elsewhere only if it has to wait. Most work of a host is done in
//! microseconds, and a task or thread of its own costs more than that.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

/// The state of a future after its first poll.
pub enum FirstPoll<F: Future> {
    /// The future has finished.
    Over(F::Output),
    /// The future waits or has yielded. The task that polls it next is the one that is woken.
    Waits(Pin<Box<F>>),
    /// The future panicked. A fault in it must not take its caller down.
    Panicked,
}

/// Polls `future` once on the current thread.
pub fn begin<F: Future>(future: F) -> FirstPoll<F> {
    let mut future = Box::pin(future);
    let mut nobody = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut nobody))) {
        Ok(Poll::Ready(output)) => FirstPoll::Over(output),
        Ok(Poll::Pending) => FirstPoll::Waits(future),
        Err(_panic) => FirstPoll::Panicked,
    }
}
