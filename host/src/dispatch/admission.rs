//! Admits calls to plugins: a call starts now, waits, or is refused at once if waiting would be in vain.
//!
//! A host has a fixed number of places for calls. A plugin takes no more of them than are still free, and of the last quarter no
//! more than two, so that however many calls of some plugins hang, there is room for those of the others. Within a plugin tenants
//! and users have shares ([`in_plugin`]), and among those who wait the one with fewer calls under way comes first. Clicks come
//! before link previews and those before events, because a person waits for a click, sees a plain link instead of a preview, and
//! an event is sent again.

mod in_plugin;
mod state;

use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::callback::model::Kind;
use crate::deadline::Deadline;
use crate::dispatch::admission::in_plugin::Waiter;
use crate::dispatch::admission::state::AdmissionState;
use crate::dispatch::admission::state::AdmissionTurn;
use crate::plugin::loaded::Plugin;
use crate::plugin::originator::Originator;
use crate::plugin::originator::UserId;
use crate::runtime::config::GuestsConfig;
use crate::telemetry::metrics;

/// A new measurement moves the average by this part of the difference: one in eight.
const WEIGHT: u32 = 8;

/// Why there is no place for a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// As many callbacks wait for the plugin as may, none of them less urgent or for a user with more calls.
    #[error("{limit} callbacks wait for this plugin, which is limits.calls")]
    PluginBusy {
        /// The value of `limits.calls`.
        limit: u32,
    },
    /// `guests.max_waiting` callbacks wait, none of them less urgent or for a user with more calls.
    #[error("{limit} callbacks wait for a place, which is guests.max_waiting")]
    QueueFull {
        /// The value of `guests.max_waiting`.
        limit: u32,
    },
    /// By the time a place is free, an answer would come too late.
    #[error("no place would be free in time")]
    NotInTime,
    /// A more urgent callback came, or one of a user with fewer calls.
    #[error(
        "gave way, while waiting for a place, to a more urgent callback or to a user with fewer calls"
    )]
    GaveWay,
}

/// The order in which callbacks get scarce places, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Click,
    Preview,
    Event,
}

const PRIORITIES: usize = 3;

impl Priority {
    /// All priorities, the most urgent first.
    const ALL: [Self; PRIORITIES] = [Self::Click, Self::Preview, Self::Event];
    const LEAST: Self = Self::Event;

    /// Returns the priorities below this one, the least urgent first.
    fn less_urgent(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().rev().take_while(move |other| *other > self)
    }
}

/// A request for a place to call a plugin.
#[derive(Debug)]
pub struct Ask {
    plugin: PluginKey,
    from: Originator,
    /// The most calls of the plugin that may be under way.
    calls: u32,
    /// Places that the call takes.
    places: u32,
    priority: Priority,
    /// The usual duration of a successful call of the plugin, as far as it is known.
    typical: Duration,
    /// The time at which the answer is due.
    due: Instant,
    /// False for work on an event, which may take minutes.
    is_short: bool,
}

/// Tells versions of plugins apart while they have calls under way: the address of the plugin.
type PluginKey = usize;

impl Ask {
    /// Makes the request for one callback of that kind.
    pub fn new(plugin: &Arc<Plugin>, kind: Kind, from: Originator, deadline: Deadline) -> Self {
        let priority = match kind {
            Kind::CardAction | Kind::LegacyCard | Kind::Approval(_) => Priority::Click,
            Kind::LinkPreview => Priority::Preview,
            Kind::Other => Priority::Event,
        };
        Self {
            // The call holds the plugin for as long as it holds its place, so no other gets that address meanwhile.
            plugin: Arc::as_ptr(plugin).addr(),
            from,
            calls: plugin.limits().calls,
            places: plugin.places(),
            priority,
            typical: plugin.usage().typical(),
            due: deadline.soft(),
            is_short: deadline.soft() <= deadline.given_up(),
        }
    }

    /// Returns the time after which a usual call could not be answered in time.
    fn latest_start(&self) -> Instant {
        self.due.checked_sub(self.typical).unwrap_or(self.due)
    }
}

/// The places of one host.
#[derive(Debug)]
pub struct Admission {
    max_calls: u32,
    max_waiting: u32,
    state: Mutex<AdmissionState>,
}

/// A place among the calls under way. Dropping it gives the place back.
#[derive(Debug)]
pub struct AdmissionPlace {
    admission: Arc<Admission>,
    plugin: PluginKey,
    from: Originator,
    places: u32,
    since: Instant,
    is_short: bool,
}

impl Admission {
    /// Makes as many places as `guests.max_calls`.
    pub fn new(config: GuestsConfig) -> Self {
        Self {
            max_calls: config.max_calls,
            max_waiting: config.max_waiting,
            state: Mutex::new(AdmissionState::new(config.max_calls)),
        }
    }

    /// Waits for a place, as long as an answer in time is possible. Cancel safe: a dropped request takes no place.
    pub async fn enter(self: &Arc<Self>, ask: Ask) -> Result<AdmissionPlace, NotAdmitted> {
        let (latest, plugin) = (ask.latest_start(), ask.plugin);
        let (user, priority) = (ask.from.user, ask.priority);
        let (ticket, admitted) = match self.line_up(ask)? {
            LinedUp::Admitted(place) => return Ok(place),
            LinedUp::Waits { ticket, admitted } => (ticket, admitted),
        };
        let _leave = Leave { admission: self, plugin, user, priority, ticket };
        match tokio::time::timeout_at(latest, admitted).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_sender_dropped)) => Err(NotAdmitted::GaveWay),
            Err(_elapsed) => Err(NotAdmitted::NotInTime),
        }
    }

    fn line_up(self: &Arc<Self>, ask: Ask) -> Result<LinedUp, NotAdmitted> {
        let mut state = self.state.lock();
        if state.may_start(&ask) {
            if state.waiting_count() == 0 {
                return Ok(LinedUp::Admitted(self.take(&mut state, &ask)));
            }
        } else {
            self.worth_waiting(&state, &ask)?;
            state.make_room(&ask, self.max_waiting)?;
        }
        let (admit, admitted) = oneshot::channel();
        let ticket = state.next_ticket();
        state.push(Waiter { ticket, ask, admit });
        let unclaimed = self.admit(&mut state);
        drop(state);
        drop(unclaimed);
        Ok(LinedUp::Waits { ticket, admitted })
    }

    /// Refuses a request that would wait too long, estimated from the requests ahead of it and the usual time per place.
    fn worth_waiting(&self, state: &AdmissionState, ask: &Ask) -> Result<(), NotAdmitted> {
        let turns = |ahead: u32, at_once: u32| ahead.saturating_add(1) / at_once.max(1);
        let for_all = state.typical_hold.saturating_mul(turns(state.ahead(ask), self.max_calls));
        let for_plugin = ask.typical.saturating_mul(turns(state.ahead_in_plugin(ask), ask.calls));
        if Instant::now() + for_all.max(for_plugin) > ask.latest_start() {
            return Err(NotAdmitted::NotInTime);
        }
        Ok(())
    }

    /// Gives places to waiting requests that may have one, the most urgent first. Returns the places of requests that were
    /// dropped at that very moment. Dropping such a place takes the lock again, so the caller must release the lock first.
    fn admit(self: &Arc<Self>, state: &mut AdmissionState) -> Vec<AdmissionPlace> {
        let mut unclaimed = Vec::new();
        if state.waiting_count() == 0 {
            return unclaimed;
        }
        'priorities: for priority in Priority::ALL {
            loop {
                match state.next(priority) {
                    AdmissionTurn::Starts(waiter) => {
                        let place = self.take(state, &waiter.ask);
                        unclaimed.extend(waiter.admit.send(place).err());
                    }
                    // A call that takes several places would never get them if small calls went past it.
                    AdmissionTurn::Blocked => break 'priorities,
                    AdmissionTurn::Nobody => break,
                }
            }
        }
        metrics::set_callbacks_waiting(state.waiting_count());
        unclaimed
    }

    fn take(self: &Arc<Self>, state: &mut AdmissionState, ask: &Ask) -> AdmissionPlace {
        state.take(ask);
        AdmissionPlace {
            admission: Arc::clone(self),
            plugin: ask.plugin,
            from: ask.from,
            places: ask.places,
            since: Instant::now(),
            is_short: ask.is_short,
        }
    }
}

/// The state of a request after it has lined up.
enum LinedUp {
    Admitted(AdmissionPlace),
    Waits { ticket: u64, admitted: oneshot::Receiver<AdmissionPlace> },
}

/// Removes the request from the queue when dropped, whether it got a place or not.
struct Leave<'a> {
    admission: &'a Admission,
    plugin: PluginKey,
    user: UserId,
    priority: Priority,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock();
        if state.remove(self.plugin, self.user, self.priority, self.ticket) {
            metrics::set_callbacks_waiting(state.waiting_count());
        }
    }
}

impl Drop for AdmissionPlace {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock();
        state.give_back(self.plugin, self.from, self.places);
        if self.is_short {
            let held = self.since.elapsed();
            state.typical_hold = state.typical_hold - state.typical_hold / WEIGHT + held / WEIGHT;
        }
        let unclaimed = self.admission.admit(&mut state);
        drop(state);
        drop(unclaimed);
    }
}

#[cfg(test)]
mod tests;
