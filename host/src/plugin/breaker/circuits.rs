//! The circuits of those whose calls failed lately, and of nobody else: most users never meet a failure.

use std::hash::Hash;

use aviary_state::Bounded;

use crate::plugin::breaker::circuit::Circuit;

/// Circuits of one kind that a plugin keeps. Beyond that the one that failed last the longest ago is forgotten: its owner
/// may call the plugin again, and is paused again.
pub(super) const MOST: usize = 256;

/// One circuit for each user or tenant whose calls failed lately.
#[derive(Debug)]
pub(super) struct Circuits<Id>(Bounded<Id, Circuit>);

impl<Id: Copy + Eq + Hash> Default for Circuits<Id> {
    fn default() -> Self {
        Self(Bounded::new(MOST))
    }
}

impl<Id: Copy + Eq + Hash> Circuits<Id> {
    pub(super) fn get(&self, id: Id) -> Option<&Circuit> {
        self.0.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Circuit> {
        self.0.get_mut(&id)
    }

    /// The circuit of somebody whose call has failed now.
    pub(super) fn failed(&mut self, id: Id) -> &mut Circuit {
        self.0.renew(id, Circuit::default)
    }

    /// Forgets it, if there is nothing to remember.
    pub(super) fn tidy(&mut self, id: Id) {
        if self.get(id).is_some_and(Circuit::is_clean) {
            self.0.remove(&id);
        }
    }

    /// How many are paused, or being tried.
    pub(super) fn paused(&self) -> usize {
        self.0.iter().filter(|(_, circuit)| !circuit.is_closed()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_take_no_more_memory_than_may_be() {
        let mut circuits = Circuits::default();
        for id in 0..10 * MOST as u64 {
            circuits.failed(id);
        }
        assert_eq!(circuits.0.len(), MOST);
        assert!(circuits.get(0).is_none() && circuits.get(10 * MOST as u64 - 1).is_some());
    }
}
