//! Counters of the calls of one version of a plugin.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The average moves by one eighth of the difference to a new value, so that it reflects the last dozen calls.
const WEIGHT: u64 = 8;

/// Counters that every call updates as it ends.
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

    /// Adds the duration of a call that succeeded in time. Calls that are slow on purpose, and deliver late, are left out, or
    /// the host would believe that there is never time for another.
    pub(super) fn record_duration(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let average = self.typical_micros.load(Ordering::Relaxed);
        // Two calls that end at once may lose one of the two values: the average is an estimate.
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

    /// Calls that failed through the plugin's fault.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Fuel that all calls used together.
    pub fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }

    /// Returns the average time of a successful call; zero before the first.
    pub fn typical(&self) -> Duration {
        Duration::from_micros(self.typical_micros.load(Ordering::Relaxed))
    }
}
