//! Counts of attempts and failures, and the report of a siege.

use std::collections::BTreeMap;

use aviary_e2e::log::Log;
use aviary_state::Mutex;
use serde::Serialize;

/// Limit of a healthy callback's 99th percentile, relative to the quiet time.
const HEALTHY_FACTOR: f64 = 3.0;
/// Limit of that percentile in milliseconds where the quiet time is so short that a scheduler's slice decides.
const HEALTHY_MS: f64 = 10.0;
/// Memory that the host itself may use at its peak beyond the start: requests under way, guests of hostile people, the journal's
/// queue.
const MOST_MORE_MEMORY: u64 = 512 << 20;
/// Memory of two compilers, each with the default of `guests.compile_memory_bytes`.
const MOST_MEMORY_OF_CHILDREN: u64 = 2 * (2 << 30);
/// Maximum bytes of a line in the log, whatever strangers send.
const LONGEST_LINE: usize = 64 << 10;

/// Number of attacks. Each counts its attempts under a name of its own.
const ATTACKS: usize = 12;

type Counts = BTreeMap<&'static str, u64>;

/// Shared counts of the attacks.
#[derive(Default)]
pub(super) struct Ledger {
    attempts: Mutex<Counts>,
    gave_way: Mutex<Counts>,
}

impl Ledger {
    /// Counts an attempt of an attack.
    pub(super) fn attempt(&self, attack: &'static str) {
        count(&self.attempts, attack);
    }

    /// Returns how often the host broke each rule.
    pub(super) fn gave_way(&self) -> Counts {
        self.gave_way.lock().clone()
    }

    /// Counts a broken rule, if `happened` is true.
    pub(super) fn must_not(&self, what: &'static str, happened: bool) {
        if happened {
            count(&self.gave_way, what);
        }
    }

    pub(super) fn attempts(&self) -> Counts {
        self.attempts.lock().clone()
    }

    /// Searches the log for lines that strangers forged.
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

/// The results of a siege. Times are in milliseconds, memory is in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct SiegeReport {
    /// True if every result is as promised, times and memory included.
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
    /// Resources that the host uses after the siege beyond those before it.
    pub(super) left_behind: Vec<String>,
    pub(super) ready: bool,
    pub(super) stopped_cleanly: bool,
}

impl SiegeReport {
    /// Returns true if every attack was tried and nothing gave way, leaked or stopped, whatever the times and the memory.
    pub fn nothing_went_wrong(&self) -> bool {
        self.gave_way.is_empty()
            && self.left_behind.is_empty()
            && self.attempts.len() == ATTACKS
            && self.malformed == 0
            && self.refused == 0
            && self.ready
            && self.stopped_cleanly
    }

    /// Returns the share of healthy callbacks that were answered later than promised.
    pub fn late_share(&self) -> f64 {
        self.late as f64 / self.callbacks.max(1) as f64
    }

    /// Sets `ok`, with the limits for an optimised build on a machine of its own.
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
