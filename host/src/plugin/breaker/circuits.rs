//! Circuits of the users or tenants whose calls failed lately. The others have none: most users never meet a failure.

use std::hash::Hash;

use aviary_state::Bounded;

use crate::plugin::breaker::circuit::Circuit;

/// Circuits of one kind that a plugin keeps. Beyond that the one with the oldest last failure is forgotten: its user or tenant
/// may call the plugin again, and is paused again after more failures.
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

    /// Returns the circuit of a user or tenant whose call has just failed, and makes it if necessary.
    pub(super) fn failed(&mut self, id: Id) -> &mut Circuit {
        self.0.renew(id, Circuit::default)
    }

    /// Forgets a circuit without failures.
    pub(super) fn tidy(&mut self, id: Id) {
        if self.get(id).is_some_and(Circuit::is_clean) {
            self.0.remove(&id);
        }
    }

    /// Counts the circuits that are paused or probing.
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
