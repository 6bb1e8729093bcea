//! What one call may use up. Every limit has a default, a setting and a reason.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use wasmtime::ResourceLimiter;

use crate::open_api::rate_limit::Rate;
use crate::setting::Section;
use crate::setting::SettingError;

/// No plugin may be given more memory than a place in the pool has: 1 GiB.
pub const MAX_MEMORY_BYTES: usize = 1 << 30;
/// Function pointers in all tables of a call together; the largest runtimes have a tenth of that. Each costs the host
/// eight bytes, which no memory limit sees.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;
/// A component made by a language with a runtime of its own is several core modules linked together.
pub(super) const MAX_CORE_INSTANCES: u32 = 64;
/// Of those, some bring a memory.
pub(super) const MAX_MEMORIES: u32 = 8;
/// Likewise a table.
pub(super) const MAX_TABLES: u32 = 32;
/// Handles that a call may hold at once: pollables, streams, errors. A guest needs a few; each costs the host some
/// hundred bytes, which no memory limit sees either.
pub(super) const MAX_HANDLES: usize = 1024;
/// The most that a plugin may be allowed to log or to answer in one call: 16 MiB.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// The most requests to the server API, in whatever time. The host remembers those of the last minute.
const MAX_API_RATE: u64 = 100_000;

/// `[limits]` of a sidecar file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// CPU budget of one call in wasmtime's units of about one instruction each; the same call costs the same number on
    /// every machine. The default is a second or less of one core: clicks are answered in milliseconds. A call of the
    /// host costs [`HOST_CALL_FUEL`](crate::plugin::meter::HOST_CALL_FUEL).
    pub fuel: u64,
    /// Linear memory of one call, all of an instance's memories together. The default holds a language with a runtime of
    /// its own, and the places of a full host stay within a few gigabytes.
    pub memory_bytes: usize,
    /// Text that a reply may hold. A card is at most 30 KB, and is said in up to 16 languages by nobody.
    pub reply_bytes: usize,
    /// Text that one call may write to the log, printed lines included. What is beyond is dropped and counted: a
    /// megabyte a second of log helps nobody.
    pub log_bytes: usize,
    /// Calls of this plugin that may be under way at once, and as many may wait. The default is half of the places that
    /// a host has by default.
    pub calls: u32,
    /// Requests to the server API in a second, over all of its calls. The default is what the platform takes by most of its
    /// interfaces, and leaves half of what an app may ask for to others.
    pub api_per_second: u32,
    /// The same in a minute.
    pub api_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            memory_bytes: 64 << 20,
            reply_bytes: 128 << 10,
            log_bytes: 64 << 10,
            calls: 64,
            api_per_second: 50,
            api_per_minute: 1000,
        }
    }
}

impl Limits {
    /// How often it may ask the server API.
    pub(super) fn api_rate(&self) -> Rate {
        Rate { in_a_second: self.api_per_second, in_a_minute: self.api_per_minute as usize }
    }

    /// Checks the numbers.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("limits");
        section.in_range("fuel", self.fuel, 1..=u64::MAX)?;
        section.in_range("memory_bytes", self.memory_bytes, 1..=MAX_MEMORY_BYTES)?;
        section.in_range("reply_bytes", self.reply_bytes as u64, 1..=MAX_TEXT_BYTES)?;
        section.in_range("log_bytes", self.log_bytes as u64, 1..=MAX_TEXT_BYTES)?;
        section.in_range("calls", self.calls, 1..=1000)?;
        section.in_range("api_per_second", u64::from(self.api_per_second), 1..=MAX_API_RATE)?;
        section.in_range("api_per_minute", u64::from(self.api_per_minute), 1..=MAX_API_RATE)
    }
}

/// The memory that all guests have together. Without it a host full of greedy guests would be ended by the system.
#[derive(Clone, Debug)]
pub(super) struct MemoryBudget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl MemoryBudget {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }

    fn take(&self, bytes: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    fn is_half_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit / 2
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Who refused memory to a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its own limit.
    Own,
    /// All guests together have what there is for guests, which is not this one's fault.
    Host,
}

/// Counts what one instance has, and remembers whether it was refused memory: a guest that is refused crashes, and the
/// crash alone does not say why.
#[derive(Debug)]
pub(super) struct InstanceLimiter {
    limit: usize,
    used: usize,
    table_elements: usize,
    budget: MemoryBudget,
    refused: Option<Refused>,
    /// A memory or a table was taken from the pool since somebody asked.
    has_news: bool,
}

impl InstanceLimiter {
    pub(super) fn new(limit: usize, budget: MemoryBudget) -> Self {
        Self { limit, used: 0, table_elements: 0, budget, refused: None, has_news: false }
    }

    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Whether an instance may wait for another call with the memory that it has. Memory is never given back, so one that
    /// took more than half of what it may have might not answer a call that a fresh one answers. And all that wait leave
    /// half of what there is to those that run.
    pub(super) fn has_room_to_stay(&self) -> bool {
        self.used <= self.limit / 2 && !self.budget.is_half_used()
    }

    /// Whether a memory or a table was taken from the pool since the last time that somebody asked.
    pub(super) fn take_news(&mut self) -> bool {
        mem::take(&mut self.has_news)
    }

    /// Another call begins.
    pub(super) fn begin_call(&mut self) {
        self.refused = None;
    }
}

impl Drop for InstanceLimiter {
    fn drop(&mut self) {
        self.budget.give_back(self.used);
    }
}

impl ResourceLimiter for InstanceLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // wasmtime asks once it has the memory, and as if it grew from nothing.
        self.has_news |= current == 0;
        let more = desired.saturating_sub(current);
        if self.used + more > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = Some(Refused::Own);
            return Ok(false);
        }
        if !self.budget.take(more) {
            self.refused = Some(Refused::Host);
            return Ok(false);
        }
        self.used += more;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.has_news |= current == 0;
        let elements = self.table_elements + desired.saturating_sub(current);
        if elements > MAX_TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_an_instance_count_together() {
        let mut limiter = InstanceLimiter::new(100, MemoryBudget::new(1000));
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(
            !limiter.memory_growing(0, 60, None).unwrap(),
            "a second memory is no second limit"
        );
        assert_eq!(limiter.refused(), Some(Refused::Own));
    }

    #[test]
    fn all_guests_share_one_budget_and_give_it_back() {
        let budget = MemoryBudget::new(100);
        let mut first = InstanceLimiter::new(80, budget.clone());
        let mut second = InstanceLimiter::new(80, budget);
        assert!(first.memory_growing(0, 80, None).unwrap());
        assert!(!second.memory_growing(0, 80, None).unwrap());
        assert_eq!(second.refused(), Some(Refused::Host));
        drop(first);
        assert!(second.memory_growing(0, 80, None).unwrap());
    }

    #[test]
    fn who_waits_leaves_memory_to_who_runs() {
        let budget = MemoryBudget::new(100);
        let mut first = InstanceLimiter::new(80, budget.clone());
        assert!(first.memory_growing(0, 40, None).unwrap());
        assert!(first.has_room_to_stay());
        let mut second = InstanceLimiter::new(80, budget);
        assert!(second.memory_growing(0, 20, None).unwrap());
        assert!(!second.has_room_to_stay(), "together they have more than half");
        drop(first);
        assert!(second.has_room_to_stay());
        assert!(second.memory_growing(20, 41, None).unwrap());
        assert!(!second.has_room_to_stay(), "more than half of its own");
    }

    #[test]
    fn all_tables_of_an_instance_count_together() {
        let mut limiter = InstanceLimiter::new(100, MemoryBudget::new(100));
        assert!(limiter.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
    }
}
