//! Whether the next call of a plugin may begin on the thread that its callback came in on.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time that I/O can do without: about as long as a guest runs before it gives way.
const QUICK: Duration = Duration::from_micros(150);

/// Whether calls of a plugin are quick, as far as its latest ones tell.
#[derive(Debug, Default)]
pub(in crate::runtime) struct InlineHint(AtomicBool);

impl InlineHint {
    /// A call that has ended had a thread for that long. A plugin that was never called is not known to be quick.
    pub(in crate::runtime) fn record(&self, used: Duration) {
        self.0.store(used < QUICK, Ordering::Relaxed);
    }

    /// A call had its slice and has not ended.
    pub(in crate::runtime) fn record_unfinished(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(in crate::runtime) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
