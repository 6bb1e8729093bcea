//! The size of a soak and its report.

use serde::Serialize;

use crate::clicks::Tally;
use crate::deferred::Deferred;
use crate::hostile::Hostile;
use crate::kept::Kept;
use crate::runaways::Runaways;
use crate::swaps::Swaps;

/// Limit of an answer's latency: the platform gives up after three seconds, network included.
pub(crate) const LATEST_ANSWER_MS: f64 = 2900.0;
/// Limit of the 99th percentile of timer lateness on the I/O threads while guests spin, in milliseconds.
const HEARTBEAT_MS: f64 = 10.0;
/// Limit of the 99th percentile of a healthy callback's latency at the same time, in milliseconds.
const HEALTHY_MS: f64 = 25.0;
/// Limit of that latency relative to the latency without spinning plugins.
const HEALTHY_FACTOR: f64 = 3.0;
/// Tolerated memory growth between the second tenth and the last: memory that an allocator keeps is never quite the same.
const MEMORY_GROWTH_PERCENT: f64 = 10.0;

/// Size of a soak.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Callbacks, half of them to hostile plugins.
    pub callbacks: usize,
    /// New versions of a plugin that are loaded under load.
    pub swaps: usize,
    /// Duration of each of two phases: without and with plugins that spin.
    pub runaway_seconds: u64,
    /// Cards that are shown after their answers.
    pub deferred: usize,
    /// Cards that are shown after their answers by a host that is killed in between.
    pub killed: usize,
    /// Number of times that a host is killed while plugins write.
    pub store_kills: usize,
}

impl Size {
    /// The size that a release has to pass.
    pub fn full() -> Self {
        Self {
            callbacks: 100_000,
            swaps: 1000,
            runaway_seconds: 30,
            deferred: 10_000,
            killed: 50,
            store_kills: 500,
        }
    }

    /// The size that every change has to pass.
    pub fn small() -> Self {
        Self {
            callbacks: 10_000,
            swaps: 100,
            runaway_seconds: 3,
            deferred: 200,
            killed: 10,
            store_kills: 5,
        }
    }
}

/// The results. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// True if every result is as promised, times included.
    pub ok: bool,
    callbacks: usize,
    malformed: usize,
    late: usize,
    max_answer_ms: f64,
    healthy_refused: usize,
    heartbeat_p99_ms: f64,
    healthy_p99_ms: f64,
    quiet_p99_ms: f64,
    /// Timer lateness of the idle machine: if it is high, the other times say little.
    quiet_heartbeat_p99_ms: f64,
    swaps: usize,
    swap_callbacks: usize,
    swap_lost: usize,
    swap_wrong_version: usize,
    swap_versions_not_freed: usize,
    swap_memory_growth_percent: f64,
    deferred: usize,
    deferred_before_flush: usize,
    deferred_lost_after_kill: usize,
    deferred_twice_after_kill: usize,
    store_kills: usize,
    store_writes: u64,
    store_lost_after_kill: usize,
    memory_growth_percent: f64,
}

impl Report {
    pub(crate) fn new(
        hostile: &Hostile,
        runaways: &Runaways,
        swaps: &Swaps,
        deferred: &Deferred,
        kept: &Kept,
    ) -> Self {
        let mut all = Tally::default();
        for tally in [&hostile.tally, &runaways.tally, &swaps.tally, &deferred.tally] {
            all.merge(tally);
        }
        Self {
            ok: false,
            callbacks: hostile.tally.sent,
            malformed: all.malformed,
            late: all.late,
            max_answer_ms: all.max_ms,
            healthy_refused: hostile.healthy_refused,
            heartbeat_p99_ms: runaways.heartbeat_p99_ms,
            healthy_p99_ms: runaways.healthy_p99_ms,
            quiet_p99_ms: runaways.quiet_p99_ms,
            quiet_heartbeat_p99_ms: runaways.quiet_heartbeat_p99_ms,
            swaps: swaps.swaps,
            swap_callbacks: swaps.tally.sent,
            swap_lost: swaps.lost,
            swap_wrong_version: swaps.wrong_version,
            swap_versions_not_freed: swaps.not_freed,
            swap_memory_growth_percent: swaps.memory_growth_percent,
            deferred: deferred.updates,
            deferred_before_flush: deferred.before_flush,
            deferred_lost_after_kill: deferred.lost_after_kill,
            deferred_twice_after_kill: deferred.twice_after_kill,
            store_kills: kept.kills,
            store_writes: kept.writes,
            store_lost_after_kill: kept.lost,
            memory_growth_percent: hostile.memory_growth_percent,
        }
    }

    /// Returns true if every answer was right and none was lost, whatever the times.
    pub fn nothing_went_wrong(&self) -> bool {
        let wrong = [
            self.malformed,
            self.healthy_refused,
            self.swap_lost,
            self.swap_wrong_version,
            self.swap_versions_not_freed,
            self.deferred_before_flush,
            self.deferred_lost_after_kill,
            self.deferred_twice_after_kill,
            self.store_lost_after_kill,
        ];
        wrong.iter().all(|count| *count == 0)
    }

    /// Returns the share of callbacks that were answered later than promised.
    pub fn late_share(&self) -> f64 {
        self.late as f64 / self.callbacks.max(1) as f64
    }

    /// Sets `ok`, with the time limits for an optimised build on a machine of its own.
    #[must_use]
    pub fn judged(mut self) -> Self {
        self.ok = self.nothing_went_wrong()
            && self.late == 0
            && self.heartbeat_p99_ms <= HEARTBEAT_MS
            && self.healthy_p99_ms <= HEALTHY_MS
            && self.healthy_p99_ms <= HEALTHY_FACTOR * self.quiet_p99_ms
            && self.memory_growth_percent <= MEMORY_GROWTH_PERCENT
            && self.swap_memory_growth_percent <= MEMORY_GROWTH_PERCENT;
        self
    }
}
