//! What was tried, what gave way, and the report of a siege.

use std::collections::BTreeMap;

use aviary_e2e::log::Log;
use aviary_state::Mutex;
use serde::Serialize;

/// How many times its quiet time a healthy callback may take in one of a hundred cases.
const HEALTHY_FACTOR: f64 = 3.0;
/// Where the quiet time is so short that a scheduler's slice decides, a healthy callback may take this long.
const HEALTHY_MS: f64 = 10.0;
/// What the host itself may have more at its peak than before: requests under way, guests of hostile people, the journal's
/// queue.
const MOST_MORE_MEMORY: u64 = 512 << 20;
/// Two compilers, each with the memory that `guests.compile_memory_bytes` lets one have by default.
const MOST_MEMORY_OF_CHILDREN: u64 = 2 * (2 << 30);
/// No line of the log is longer, whatever strangers send.
const LONGEST_LINE: usize = 64 << 10;

/// How many attacks there are. Each notes its attempts under a name of its own.
const ATTACKS: usize = 12;

/// Counts, by name.
type Counts = BTreeMap<&'static str, u64>;

/// What the attacks note down.
#[derive(Default)]
pub(super) struct Ledger {
    attempts: Mutex<Counts>,
    gave_way: Mutex<Counts>,
}

impl Ledger {
    /// An attack tried once more.
    pub(super) fn attempt(&self, attack: &'static str) {
        count(&self.attempts, attack);
    }

    /// How often the host did what it must not do.
    pub(super) fn gave_way(&self) -> Counts {
        self.gave_way.lock().clone()
    }

    /// Notes that the host did what it must not do, if it did.
    pub(super) fn must_not(&self, what: &'static str, happened: bool) {
        if happened {
            count(&self.gave_way, what);
        }
    }

    pub(super) fn attempts(&self) -> Counts {
        self.attempts.lock().clone()
    }

    /// Whether strangers could write into the log what is no line of the host.
    pub(super) fn look_through(&self, log: &Log) {
        let long = log.lines(|line| line.text().len() > LONGEST_LINE).len();
        self.must_not("a log line is longer than 64 KiB", long > 0);
        let torn = log.lines(|line| line.json().is_null() && !line.text().is_empty()).len();
        self.must_not("a log line is not JSON", torn > 0);
    }
}

fn count(counts: &Mutex<Counts>, name: &'static str) {
    *counts.lock().entry(name).or_default() += 1;
}

/// What came of a siege. Times are in milliseconds, memory is in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct SiegeReport {
    /// Whether all of it is as promised, times and memory included.
    pub ok: bool,
    pub(super) attempts: Counts,
    pub(super) gave_way: Counts,
    pub(super) callbacks: usize,
    pub(super) malformed: usize,
    pub(super) late: usize,
    /// Healthy callbacks that the host answered in place of their plugin.
    pub(super) refused: usize,
    pub(super) max_answer_ms: f64,
    pub(super) quiet_p99_ms: f64,
    pub(super) healthy_p99_ms: f64,
    pub(super) memory_before: u64,
    pub(super) memory_peak: u64,
    pub(super) memory_peak_of_children: u64,
    /// What the host has still of the machine that it did not have before.
    pub(super) left_behind: Vec<String>,
    pub(super) ready: bool,
    pub(super) stopped_cleanly: bool,
}

impl SiegeReport {
    /// Whether every attack was tried and nothing gave way, leaked or stopped. Says nothing of time and memory.
    pub fn nothing_went_wrong(&self) -> bool {
        self.gave_way.is_empty()
            && self.left_behind.is_empty()
            && self.attempts.len() == ATTACKS
            && self.malformed == 0
            && self.refused == 0
            && self.ready
            && self.stopped_cleanly
    }

    /// The share of healthy callbacks whose answer came later than promised.
    pub fn late_share(&self) -> f64 {
        self.late as f64 / self.callbacks.max(1) as f64
    }

    /// With `ok` as it is on a machine of its own, optimised.
    #[must_use]
    pub fn judged(mut self) -> Self {
        let may_take = (HEALTHY_FACTOR * self.quiet_p99_ms).max(HEALTHY_MS);
        self.ok = self.nothing_went_wrong()
            && self.late == 0
            && self.healthy_p99_ms <= may_take
            && self.memory_peak <= self.memory_before + MOST_MORE_MEMORY
            && self.memory_peak_of_children <= MOST_MEMORY_OF_CHILDREN;
        self
    }
}
