//! How much is run, and what came of it.

use serde::Serialize;

use crate::clicks::Tally;
use crate::deferred::Deferred;
use crate::hostile::Hostile;
use crate::kept::Kept;
use crate::runaways::Runaways;
use crate::swaps::Swaps;

/// The platform gives up after three seconds, network included; what is later than this is late.
pub(crate) const LATEST_ANSWER_MS: f64 = 2900.0;
/// How late a timer of the I/O threads may be in one of a hundred cases while guests spin.
const HEARTBEAT_MS: f64 = 10.0;
/// How long a healthy callback may take in one of a hundred cases meanwhile.
const HEALTHY_MS: f64 = 25.0;
/// And how many times what it takes when nobody spins.
const HEALTHY_FACTOR: f64 = 3.0;
/// What memory may grow by between the second tenth and the last: what an allocator keeps is never quite the same.
const MEMORY_GROWTH_PERCENT: f64 = 10.0;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Half of them to hostile plugins.
    pub callbacks: usize,
    /// New versions of a plugin under load.
    pub swaps: usize,
    /// Once quiet and once with plugins that spin.
    pub runaway_seconds: u64,
    /// Cards to be shown after the answer.
    pub deferred: usize,
    /// The same, with a host that is killed between answer and card.
    pub killed: usize,
    /// Times that a host is killed while plugins write.
    pub store_kills: usize,
}

impl Size {
    /// What a release has to stand.
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

    /// What every change has to stand.
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

/// What came of it. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether all of it is as promised, times included.
    pub ok: bool,
    callbacks: usize,
    malformed: usize,
    late: usize,
    max_answer_ms: f64,
    healthy_refused: usize,
    heartbeat_p99_ms: f64,
    healthy_p99_ms: f64,
    quiet_p99_ms: f64,
    /// What the machine itself makes of timers: where this is high, the others say little.
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

    /// Whether every answer was right, and none was lost. Says nothing of time.
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

    /// The share of callbacks whose answer came later than promised.
    pub fn late_share(&self) -> f64 {
        self.late as f64 / self.callbacks.max(1) as f64
    }

    /// With `ok` as it is on a machine of its own, optimised.
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
