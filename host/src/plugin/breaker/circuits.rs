//! The circuits of those whose calls failed lately, and of nobody else: most users never meet a failure.

use std::collections::HashMap;
use std::hash::Hash;

use tokio::time::Instant;

use crate::plugin::breaker::circuit::Circuit;

/// Circuits of one kind that a plugin keeps. Beyond that the one that failed last the longest ago is forgotten: its owner
/// may call the plugin again, and is paused again.
pub(super) const MOST: usize = 256;

/// One circuit for each user or tenant whose calls failed lately.
#[derive(Debug)]
pub(super) struct Circuits<Id>(HashMap<Id, Entry>);

#[derive(Debug)]
struct Entry {
    circuit: Circuit,
    failed: Instant,
}

impl<Id> Default for Circuits<Id> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Id: Copy + Eq + Hash> Circuits<Id> {
    pub(super) fn get(&self, id: Id) -> Option<&Circuit> {
        // The common case, without a hash.
        if self.0.is_empty() { None } else { self.0.get(&id).map(|entry| &entry.circuit) }
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Circuit> {
        if self.0.is_empty() { None } else { self.0.get_mut(&id).map(|entry| &mut entry.circuit) }
    }

    /// For a failure.
    pub(super) fn failed(&mut self, id: Id, now: Instant) -> &mut Circuit {
        if self.0.len() >= MOST && !self.0.contains_key(&id) {
            let oldest = self.0.iter().min_by_key(|(_, entry)| entry.failed).map(|(id, _)| *id);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        let new = || Entry { circuit: Circuit::default(), failed: now };
        let entry = self.0.entry(id).or_insert_with(new);
        entry.failed = now;
        &mut entry.circuit
    }

    /// Forgets it, if there is nothing to remember.
    pub(super) fn tidy(&mut self, id: Id) {
        if self.get(id).is_some_and(Circuit::is_clean) {
            self.0.remove(&id);
        }
    }

    /// How many are paused, or being tried.
    pub(super) fn paused(&self) -> usize {
        self.0.values().filter(|entry| !entry.circuit.is_closed()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_take_no_more_memory_than_may_be() {
        let mut circuits = Circuits::default();
        let now = Instant::now();
        for id in 0..10 * MOST as u64 {
            circuits.failed(id, now + std::time::Duration::from_millis(id));
        }
        assert_eq!(circuits.0.len(), MOST);
        assert!(circuits.get(0).is_none() && circuits.get(10 * MOST as u64 - 1).is_some());
    }
}
