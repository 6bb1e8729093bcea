//! Beginning something where one is, and going on elsewhere only if it has to wait: most of what a host does is over in
//! microseconds, and a task or a thread of its own costs more than that.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

/// How far something came at once.
pub enum Begun<F: Future> {
    /// To its end.
    Over(F::Output),
    /// It waits for something, or has given way. Whoever polls it next is the one who is woken.
    Waits(Pin<Box<F>>),
    /// Nowhere. A fault of the host's own must not take along whoever began it.
    Panicked,
}

/// Polls `future` once, here.
pub fn begin<F: Future>(future: F) -> Begun<F> {
    let mut future = Box::pin(future);
    let mut nobody = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut nobody))) {
        Ok(Poll::Ready(output)) => Begun::Over(output),
        Ok(Poll::Pending) => Begun::Waits(future),
        Err(_panic) => Begun::Panicked,
    }
}
