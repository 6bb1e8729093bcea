//! Predicts whether a plugin's next call is short enough for the thread that its callback arrived on.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// I/O can do without its thread for this long: about as long as a guest runs before it yields.
const QUICK: Duration = Duration::from_micros(150);

/// Remembers whether the latest call of a plugin was quick.
#[derive(Debug, Default)]
pub(in crate::runtime) struct InlineHint(AtomicBool);

impl InlineHint {
    /// Records a call that ended after `used` time on a thread. Until the first call, a plugin does not count as quick.
    pub(in crate::runtime) fn record(&self, used: Duration) {
        self.0.store(used < QUICK, Ordering::Relaxed);
    }

    /// Records a call that did not end within its first slice.
    pub(in crate::runtime) fn record_unfinished(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(in crate::runtime) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
