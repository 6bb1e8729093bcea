//! Limits the memory of every instance, and of all instances together.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use wasmtime::ResourceLimiter;

use crate::runtime::limits::MAX_CORE_INSTANCES;
use crate::runtime::limits::MAX_MEMORIES;
use crate::runtime::limits::MAX_TABLE_ELEMENTS;
use crate::runtime::limits::MAX_TABLES;

/// The memory of all guests together. Without this limit, the system would kill a host full of greedy guests.
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

/// The limit because of which memory was refused to a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrowthRefused {
    /// The plugin's own limit.
    Own,
    /// The limit of all guests together, which is not this guest's fault.
    Host,
}

/// Counts the memory of one instance, and remembers whether more was refused: a guest that is refused memory crashes, and the
/// crash alone does not say why.
#[derive(Debug)]
pub(super) struct InstanceLimiter {
    limit: usize,
    used: usize,
    table_elements: usize,
    budget: MemoryBudget,
    refused: Option<GrowthRefused>,
    /// A memory or a table was taken from the pool since the last `take_news`.
    has_news: bool,
}

impl InstanceLimiter {
    pub(super) fn new(limit: usize, budget: MemoryBudget) -> Self {
        Self { limit, used: 0, table_elements: 0, budget, refused: None, has_news: false }
    }

    pub(super) fn refused(&self) -> Option<GrowthRefused> {
        self.refused
    }

    /// True if the instance may be kept for another call. Memory is never given back, so an instance that has more than half
    /// of its limit might fail a call that a fresh one answers. And all kept instances leave half of the guests' memory to
    /// running calls.
    pub(super) fn has_room_to_stay(&self) -> bool {
        self.used <= self.limit / 2 && !self.budget.is_half_used()
    }

    /// Tells whether a memory or a table was taken from the pool since the last `take_news`.
    pub(super) fn take_news(&mut self) -> bool {
        mem::take(&mut self.has_news)
    }

    /// Forgets refusals of the call before.
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
        // wasmtime asks after it has taken a memory from the pool, and reports it as growth from 0.
        self.has_news |= current == 0;
        let more = desired.saturating_sub(current);
        if self.used + more > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = Some(GrowthRefused::Own);
            return Ok(false);
        }
        if !self.budget.take(more) {
            self.refused = Some(GrowthRefused::Host);
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
        assert_eq!(limiter.refused(), Some(GrowthRefused::Own));
    }

    #[test]
    fn all_guests_share_one_budget_and_give_it_back() {
        let budget = MemoryBudget::new(100);
        let mut first = InstanceLimiter::new(80, budget.clone());
        let mut second = InstanceLimiter::new(80, budget);
        assert!(first.memory_growing(0, 80, None).unwrap());
        assert!(!second.memory_growing(0, 80, None).unwrap());
        assert_eq!(second.refused(), Some(GrowthRefused::Host));
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
