//! Places for work on entries: at most half of the host's places for calls, so that clicks, which people wait for, always find
//! some. A plugin takes at most half of its own `limits.calls`, and no more places than it leaves free to other plugins.

use std::collections::HashMap;
use std::sync::Arc;

use aviary_state::Mutex;

use crate::runtime::config::GuestsConfig;
use crate::store::inbox::PluginQueue;

/// The places of one host, for the inboxes of all its apps.
#[derive(Debug)]
pub struct WorkPlaces {
    all: u32,
    taken: Mutex<TakenPlaces>,
}

#[derive(Debug, Default)]
struct TakenPlaces {
    all: u32,
    by_queue: HashMap<PluginQueue, u32>,
}

/// A place that is taken. Dropping it gives the place back.
#[derive(Debug)]
pub struct WorkPlace {
    places: Arc<WorkPlaces>,
    queue: PluginQueue,
}

impl WorkPlaces {
    /// Half of `guests.max_calls`.
    pub fn new(guests: GuestsConfig) -> Arc<Self> {
        Arc::new(Self { all: (guests.max_calls / 2).max(1), taken: Mutex::default() })
    }

    /// Returns how many entries of the queue may be begun now, for a plugin that may have so many calls.
    pub fn free(&self, queue: &PluginQueue, calls: u32) -> u32 {
        let taken = self.taken.lock();
        let own = taken.by_queue.get(queue).copied().unwrap_or_default();
        let left = self.all.saturating_sub(taken.all);
        // Each place that is taken raises the queue's number and lowers the free one, hence half of the difference.
        let fair = left.saturating_sub(own).div_ceil(2);
        (calls / 2).max(1).saturating_sub(own).min(fair)
    }

    /// Takes a place.
    pub fn take(self: &Arc<Self>, queue: &PluginQueue) -> WorkPlace {
        let mut taken = self.taken.lock();
        taken.all += 1;
        *taken.by_queue.entry(queue.clone()).or_default() += 1;
        WorkPlace { places: Arc::clone(self), queue: queue.clone() }
    }
}

impl Drop for WorkPlace {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by_queue.get_mut(&self.queue) {
            *own -= 1;
            if *own == 0 {
                taken.by_queue.remove(&self.queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_hangs_leaves_places_to_the_others() {
        let places = WorkPlaces::new(GuestsConfig { max_calls: 64, ..GuestsConfig::default() });
        let queue = |plugin: &str| PluginQueue { app: "a".to_owned(), plugin: plugin.to_owned() };
        let mut held = Vec::new();
        let mut fill = |plugin: &str, calls: u32| {
            let mut count = 0;
            while places.free(&queue(plugin), calls) > 0 {
                held.push(places.take(&queue(plugin)));
                count += 1;
            }
            count
        };
        assert_eq!(fill("hangs", 64), 16);
        assert_eq!(fill("hangs too", 64), 8);
        assert_eq!(fill("small", 4), 2);
        held.clear();
        assert_eq!(places.free(&queue("hangs"), 64), 16);
    }
}
