//! Who may call a plugin now, who waits, and who is told at once that it would be in vain.
//!
//! A host has so many places for calls. A plugin takes no more of them than are still free, and of the last quarter no
//! more than two, so that however many calls of some plugins hang, there is room for those of the others. Clicks come
//! before link previews, those before events, because a person looks at a click, sees a plain link instead of a preview,
//! and an event is sent again.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::callback::model::Kind;
use crate::deadline::Deadline;
use crate::plugin::engine::GuestsConfig;
use crate::plugin::registry::Plugin;
use crate::telemetry::metrics;

/// A new measurement moves the average by this part of the difference.
const WEIGHT: u32 = 8;

/// The part of the places that is kept for plugins with hardly a call under way: one in four.
const RESERVE: u32 = 4;
/// What hardly means. A healthy call takes a millisecond, so two at once are hundreds in a second.
const CALLS_FROM_RESERVE: u32 = 2;

/// Why there is no place for a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// As many of its plugin's are under way, and wait, as may.
    #[error("{limit} calls of this plugin are under way and as many wait")]
    PluginBusy {
        /// `limits.calls`
        limit: u32,
    },
    /// `guests.max_waiting` wait, none of them for something less urgent.
    #[error("{limit} callbacks wait for a place, which is guests.max_waiting")]
    QueueFull {
        /// `guests.max_waiting`
        limit: u32,
    },
    /// By the time there is one, it could not be answered any more.
    #[error("no place would be free in time")]
    NotInTime,
    /// Something more urgent came.
    #[error("gave way to a click while waiting for a place")]
    GaveWay,
}

/// What comes first when places are scarce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Click,
    Preview,
    Event,
}

const PRIORITIES: usize = 3;

/// A wish to call a plugin.
#[derive(Debug)]
pub struct Ask {
    plugin: PluginKey,
    /// Calls of the plugin that may be under way.
    calls: u32,
    /// Places that the call takes.
    places: u32,
    priority: Priority,
    /// What the call takes when it goes well, as far as that is known.
    typical: Duration,
    /// When the answer is due.
    due: Instant,
}

/// Tells versions of plugins apart while they have calls under way: the address of what they share.
type PluginKey = usize;

impl Ask {
    /// For one callback of that kind.
    pub fn new(plugin: &Arc<Plugin>, kind: Kind, deadline: Deadline) -> Self {
        let priority = match kind {
            Kind::CardAction | Kind::LegacyCard => Priority::Click,
            Kind::LinkPreview => Priority::Preview,
            Kind::Other => Priority::Event,
        };
        Self {
            // The call holds the plugin for as long as it holds its place, so no other gets that address meanwhile.
            plugin: Arc::as_ptr(plugin).addr(),
            calls: plugin.limits().calls,
            places: plugin.places(),
            priority,
            typical: plugin.usage().typical(),
            due: deadline.soft(),
        }
    }

    /// From then on it could not be answered in time any more.
    fn latest_start(&self) -> Instant {
        self.due.checked_sub(self.typical).unwrap_or(self.due)
    }
}

/// The places of one host.
#[derive(Debug)]
pub struct Admission {
    max_calls: u32,
    max_waiting: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: u32,
    reserve: u32,
    running: HashMap<PluginKey, Running>,
    waiting: [VecDeque<Waiter>; PRIORITIES],
    next_ticket: u64,
    /// How long places are taken for, lately.
    typical_hold: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Running {
    calls: u32,
    places: u32,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    ask: Ask,
    admit: oneshot::Sender<Place>,
}

/// A place among the calls under way. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    plugin: PluginKey,
    places: u32,
    since: Instant,
}

impl Admission {
    /// With as many places as `guests.max_calls`.
    pub fn new(config: GuestsConfig) -> Self {
        let state = State {
            free: config.max_calls,
            reserve: config.max_calls / RESERVE,
            running: HashMap::new(),
            waiting: Default::default(),
            next_ticket: 0,
            typical_hold: Duration::ZERO,
        };
        Self {
            max_calls: config.max_calls,
            max_waiting: config.max_waiting,
            state: Mutex::new(state),
        }
    }

    /// Waits for a place, as long as that makes sense. Cancel safe: who does not wait any more takes none.
    pub async fn enter(self: &Arc<Self>, ask: Ask) -> Result<Place, NotAdmitted> {
        let latest = ask.latest_start();
        let (ticket, admitted) = match self.line_up(ask)? {
            LinedUp::Admitted(place) => return Ok(place),
            LinedUp::Waits { ticket, admitted } => (ticket, admitted),
        };
        let _leave = Leave { admission: self, ticket };
        match tokio::time::timeout_at(latest, admitted).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_sender_dropped)) => Err(NotAdmitted::GaveWay),
            Err(_elapsed) => Err(NotAdmitted::NotInTime),
        }
    }

    fn line_up(self: &Arc<Self>, ask: Ask) -> Result<LinedUp, NotAdmitted> {
        let mut state = self.lock();
        if state.may_start(&ask) {
            if state.nobody_waits() {
                return Ok(LinedUp::Admitted(self.take(&mut state, &ask)));
            }
        } else {
            self.worth_waiting(&state, &ask)?;
            if state.waiting_count() >= self.max_waiting as usize && !state.displace(ask.priority) {
                return Err(NotAdmitted::QueueFull { limit: self.max_waiting });
            }
        }
        let (admit, admitted) = oneshot::channel();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting[ask.priority as usize].push_back(Waiter { ticket, ask, admit });
        let unclaimed = self.admit(&mut state);
        drop(state);
        drop(unclaimed);
        Ok(LinedUp::Waits { ticket, admitted })
    }

    /// Who is ahead, how long places are taken for, and what that makes.
    fn worth_waiting(&self, state: &State, ask: &Ask) -> Result<(), NotAdmitted> {
        let of_plugin = |waiter: &&Waiter| waiter.ask.plugin == ask.plugin;
        let own = state.waiting.iter().flatten().filter(of_plugin).count();
        if own >= ask.calls as usize {
            return Err(NotAdmitted::PluginBusy { limit: ask.calls });
        }
        let ahead: usize = state.waiting[..=ask.priority as usize].iter().map(VecDeque::len).sum();
        let turns = |ahead: usize, at_once: u32| {
            u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1) / at_once.max(1)
        };
        let for_all = state.typical_hold.saturating_mul(turns(ahead, self.max_calls));
        let for_plugin = ask.typical.saturating_mul(turns(own, ask.calls));
        if Instant::now() + for_all.max(for_plugin) > ask.latest_start() {
            return Err(NotAdmitted::NotInTime);
        }
        Ok(())
    }

    /// Gives places to those who wait and may have one, the most urgent first. Returns those whose owner went away at
    /// that very moment: they are free again once they are dropped, which must not happen under the lock.
    fn admit(self: &Arc<Self>, state: &mut State) -> Vec<Place> {
        let mut unclaimed = Vec::new();
        if state.nobody_waits() {
            return unclaimed;
        }
        'priorities: for priority in 0..PRIORITIES {
            let mut index = 0;
            while let Some(waiter) = state.waiting[priority].get(index) {
                if state.may_start(&waiter.ask) {
                    let Some(waiter) = state.waiting[priority].remove(index) else { break };
                    let place = self.take(state, &waiter.ask);
                    unclaimed.extend(waiter.admit.send(place).err());
                } else if waiter.ask.places > state.free {
                    // A call that takes several places would never get them if small ones went past it.
                    break 'priorities;
                } else {
                    index += 1;
                }
            }
        }
        metrics::set_callbacks_waiting(state.waiting_count());
        unclaimed
    }

    fn take(self: &Arc<Self>, state: &mut State, ask: &Ask) -> Place {
        state.free -= ask.places;
        let running = state.running.entry(ask.plugin).or_default();
        running.calls += 1;
        running.places += ask.places;
        Place {
            admission: Arc::clone(self),
            plugin: ask.plugin,
            places: ask.places,
            since: Instant::now(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_start(&self, ask: &Ask) -> bool {
        let running = self.running.get(&ask.plugin).copied().unwrap_or_default();
        let fair = running.places < self.free
            && (self.free > self.reserve || running.calls < CALLS_FROM_RESERVE);
        ask.places <= self.free && running.calls < ask.calls && fair
    }

    fn nobody_waits(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    fn waiting_count(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    /// Makes room for something of that priority, at the cost of the last of something less urgent.
    fn displace(&mut self, priority: Priority) -> bool {
        self.waiting[priority as usize + 1..].iter_mut().rev().any(|less| less.pop_back().is_some())
    }
}

/// What became of a wish.
enum LinedUp {
    Admitted(Place),
    Waits { ticket: u64, admitted: oneshot::Receiver<Place> },
}

/// Leaves the queue, whether with a place or without.
struct Leave<'a> {
    admission: &'a Admission,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        for priority in 0..PRIORITIES {
            let queue = &mut state.waiting[priority];
            // Tickets grow from the front to the back of a queue.
            if let Ok(index) = queue.binary_search_by_key(&self.ticket, |waiter| waiter.ticket) {
                queue.remove(index);
                metrics::set_callbacks_waiting(state.waiting_count());
                break;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        state.free += self.places;
        if let Some(running) = state.running.get_mut(&self.plugin) {
            running.calls -= 1;
            running.places -= self.places;
            if running.calls == 0 {
                state.running.remove(&self.plugin);
            }
        }
        let held = self.since.elapsed();
        state.typical_hold = state.typical_hold - state.typical_hold / WEIGHT + held / WEIGHT;
        let unclaimed = self.admission.admit(&mut state);
        drop(state);
        drop(unclaimed);
    }
}

#[cfg(test)]
mod tests;
