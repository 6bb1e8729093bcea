//! What one version of a plugin has done so far.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A new measurement moves the average by this part of the difference: the last dozen calls are what counts.
const WEIGHT: u64 = 8;

/// Counted by every call as it ends.
#[derive(Debug, Default)]
pub struct Usage {
    calls: AtomicU64,
    instances: AtomicU64,
    failures: AtomicU64,
    fuel: AtomicU64,
    typical_micros: AtomicU64,
}

impl Usage {
    pub(super) fn record(&self, fuel: u64, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.fuel.fetch_add(fuel, Ordering::Relaxed);
    }

    pub(super) fn record_instance(&self) {
        self.instances.fetch_add(1, Ordering::Relaxed);
    }

    /// A call that went well and was in time took that long. One that is slow on purpose, and delivers late, must not
    /// make the host believe that there is never time for the next.
    pub(super) fn record_duration(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let average = self.typical_micros.load(Ordering::Relaxed);
        // Two calls that end at once may overwrite each other's part: it is an estimate.
        let next = if average == 0 { took } else { average - average / WEIGHT + took / WEIGHT };
        self.typical_micros.store(next, Ordering::Relaxed);
    }

    /// Calls that have ended.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Instances that were made for them.
    pub fn instances(&self) -> u64 {
        self.instances.load(Ordering::Relaxed)
    }

    /// How many of them failed by the plugin's fault.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// What they used together.
    pub fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// What a call takes that goes well, zero as long as that is not known.
    pub fn typical(&self) -> Duration {
        Duration::from_micros(self.typical_micros.load(Ordering::Relaxed))
    }
}
