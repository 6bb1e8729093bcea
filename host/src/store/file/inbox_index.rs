//! The entries of the inbox in memory: which of them may be worked on now. The file holds everything else, and everything that
//! has to survive.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::now_ms;
use crate::store::inbox::EntryId;
use crate::store::inbox::PluginQueue;
use crate::store::inbox::QueueFigures;

/// All queues of the file.
#[derive(Debug, Default)]
pub(super) struct InboxIndex(BTreeMap<PluginQueue, QueueIndex>);

#[derive(Debug, Default)]
struct QueueIndex {
    lanes: HashMap<String, Lane>,
    /// Lanes that nobody has claimed, by the time from which their first entry may be worked on.
    due: BTreeSet<(u64, String)>,
    /// Entries to be worked on, with their arrival.
    waiting: BTreeMap<EntryId, u64>,
    aside: BTreeSet<EntryId>,
    working: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Lane {
    entries: VecDeque<EntryId>,
    due_ms: u64,
    is_claimed: bool,
}

/// The place of an entry.
#[derive(Clone, Debug)]
pub(super) struct LanePlace {
    pub(super) queue: PluginQueue,
    pub(super) lane: String,
    pub(super) id: EntryId,
}

/// A change that was committed to the file.
#[derive(Debug)]
pub(super) enum Effect {
    /// The entry is the last of its lane.
    Queued { place: LanePlace, received_ms: u64, bytes: u64 },
    /// The entry is set aside, and its bytes are counted.
    Kept { place: LanePlace, bytes: u64 },
    /// The entry is gone, its lane is free, and its bytes are not counted any more.
    Done { place: LanePlace, bytes: u64 },
    /// The entry has become one of those set aside, and its lane is free.
    SetAside { place: LanePlace },
    /// An entry that was set aside is the last of its lane again.
    Requeued { place: LanePlace, received_ms: u64 },
    /// An entry that was set aside is gone.
    Forgotten { place: LanePlace, bytes: u64 },
}

impl InboxIndex {
    pub(super) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Queued { place, received_ms, bytes } => {
                let queue = self.0.entry(place.queue).or_default();
                queue.bytes += bytes;
                queue.push(&place.lane, place.id, received_ms);
            }
            Effect::Kept { place, bytes } => {
                let queue = self.0.entry(place.queue).or_default();
                queue.bytes += bytes;
                queue.aside.insert(place.id);
            }
            Effect::Done { place, bytes } => {
                let queue = self.0.entry(place.queue).or_default();
                queue.bytes = queue.bytes.saturating_sub(bytes);
                queue.finish(&place.lane, place.id);
            }
            Effect::SetAside { place } => {
                let queue = self.0.entry(place.queue).or_default();
                queue.aside.insert(place.id);
                queue.finish(&place.lane, place.id);
            }
            Effect::Requeued { place, received_ms } => {
                let queue = self.0.entry(place.queue).or_default();
                queue.aside.remove(&place.id);
                queue.push(&place.lane, place.id, received_ms);
            }
            Effect::Forgotten { place, bytes } => {
                let queue = self.0.entry(place.queue).or_default();
                queue.bytes = queue.bytes.saturating_sub(bytes);
                queue.aside.remove(&place.id);
            }
        }
    }

    /// Claims up to `most` lanes of the queue whose first entry is due.
    pub(super) fn claim(&mut self, queue: &PluginQueue, most: usize) -> Vec<LanePlace> {
        let Some(index) = self.0.get_mut(queue) else { return Vec::new() };
        let now = now_ms();
        let mut claimed = Vec::new();
        while claimed.len() < most
            && let Some((due_ms, _)) = index.due.first()
            && *due_ms <= now
            && let Some((_, lane)) = index.due.pop_first()
        {
            let Some(found) = index.lanes.get_mut(&lane) else { continue };
            let Some(id) = found.entries.front().copied() else { continue };
            found.is_claimed = true;
            index.working += 1;
            claimed.push(LanePlace { queue: queue.clone(), lane, id });
        }
        claimed
    }

    /// Returns the time until the next lane of the queue is due.
    pub(super) fn next(&self, queue: &PluginQueue) -> Option<Duration> {
        let (due_ms, _) = self.0.get(queue)?.due.first()?;
        Some(Duration::from_millis(due_ms.saturating_sub(now_ms())))
    }

    /// Gives a claim back: the lane may be claimed again after a while.
    pub(super) fn release(&mut self, queue: &PluginQueue, lane: &str, after: Duration) {
        let due_ms = now_ms().saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        if let Some(index) = self.0.get_mut(queue) {
            index.free(lane, due_ms);
        }
    }

    /// Takes an entry that waits out of its lane, so that nobody claims it. False if it is being worked on.
    pub(super) fn withdraw(&mut self, place: &LanePlace) -> bool {
        let Some(index) = self.0.get_mut(&place.queue) else { return false };
        let Some(lane) = index.lanes.get_mut(&place.lane) else { return false };
        let Some(at) = lane.entries.iter().position(|id| *id == place.id) else { return false };
        if at == 0 && lane.is_claimed {
            return false;
        }
        lane.entries.remove(at);
        index.waiting.remove(&place.id);
        if lane.entries.is_empty() {
            index.due.remove(&(lane.due_ms, place.lane.clone()));
            index.lanes.remove(&place.lane);
        }
        true
    }

    /// Returns the figures of the app's queues that hold anything.
    pub(super) fn figures(&self, app: &str) -> Vec<QueueFigures> {
        let of_app = self.0.iter().filter(|(queue, _)| queue.app == app);
        of_app
            .filter(|(_, index)| !index.waiting.is_empty() || !index.aside.is_empty())
            .map(|(queue, index)| QueueFigures {
                plugin: queue.plugin.clone(),
                waiting: index.waiting.len() as u64,
                working: index.working,
                aside: index.aside.len() as u64,
                bytes: index.bytes,
                oldest_ms: index.waiting.values().next().copied(),
            })
            .collect()
    }

    /// Returns the first entries of the app that are set aside, and then those that wait.
    pub(super) fn ids(&self, app: &str, most: usize) -> Vec<EntryId> {
        let of_app = || self.0.iter().filter(|(queue, _)| queue.app == app);
        let aside = of_app().flat_map(|(_, index)| index.aside.iter().copied());
        let waiting = of_app().flat_map(|(_, index)| index.waiting.keys().copied());
        aside.chain(waiting).take(most).collect()
    }
}

impl QueueIndex {
    fn push(&mut self, lane: &str, id: EntryId, received_ms: u64) {
        self.waiting.insert(id, received_ms);
        let found = self.lanes.entry(lane.to_owned()).or_default();
        found.entries.push_back(id);
        if found.entries.len() == 1 && !found.is_claimed {
            found.due_ms = now_ms();
            self.due.insert((found.due_ms, lane.to_owned()));
        }
    }

    fn finish(&mut self, lane: &str, id: EntryId) {
        self.waiting.remove(&id);
        if let Some(found) = self.lanes.get_mut(lane) {
            found.entries.retain(|waiting| *waiting != id);
        }
        self.free(lane, now_ms());
    }

    fn free(&mut self, lane: &str, due_ms: u64) {
        let Some(found) = self.lanes.get_mut(lane) else { return };
        if std::mem::take(&mut found.is_claimed) {
            self.working = self.working.saturating_sub(1);
        }
        if found.entries.is_empty() {
            self.lanes.remove(lane);
        } else {
            found.due_ms = due_ms;
            self.due.insert((due_ms, lane.to_owned()));
        }
    }
}
