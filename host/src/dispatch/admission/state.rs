//! The places of one host: who has them, who waits for one, and whose turn it is.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;
use std::time::Duration;

use crate::dispatch::admission::Ask;
use crate::dispatch::admission::NotAdmitted;
use crate::dispatch::admission::PRIORITIES;
use crate::dispatch::admission::PluginKey;
use crate::dispatch::admission::Priority;
use crate::dispatch::admission::in_plugin::InPlugin;
use crate::dispatch::admission::in_plugin::Waiter;
use crate::plugin::originator::Originator;
use crate::plugin::originator::UserId;

/// One in this many places is kept for plugins with fewer than `CALLS_FROM_RESERVE` calls under way.
const RESERVE: u32 = 4;
/// Calls that a plugin may have while only the reserve is free. A healthy call takes a millisecond, so two at once are hundreds
/// in a second.
const CALLS_FROM_RESERVE: u32 = 2;
/// The number of idle plugins whose counts are kept, so that their next call allocates nothing.
const IDLE_PLUGINS: usize = 256;

/// The users and plugins with places, and the calls that wait for one.
#[derive(Debug)]
pub(super) struct AdmissionState {
    pub(super) free: u32,
    max_calls: u32,
    plugins: HashMap<PluginKey, InPlugin, BuildHasherDefault<Spread>>,
    users: HashMap<UserId, OfUser, BuildHasherDefault<Spread>>,
    waiting: [usize; PRIORITIES],
    next_ticket: u64,
    /// Moving average of the time for which a place is held.
    pub(super) typical_hold: Duration,
}

/// The places and waiting calls of one user, in all plugins together.
#[derive(Clone, Copy, Debug, Default)]
struct OfUser {
    places: u32,
    waiting: [u32; PRIORITIES],
}

impl OfUser {
    fn waiting(&self, up_to: Priority) -> u32 {
        self.waiting[..=up_to as usize].iter().sum()
    }
}

/// A fast hasher. The keys are addresses and numbers made with a secret: nobody outside can choose them, so a multiplication
/// spreads them well enough.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

/// The waiting call whose turn it is, among all plugins.
pub(super) enum AdmissionTurn {
    /// This call starts; it is out of the queue.
    Starts(Waiter),
    /// The next call needs more places than are free: all others wait for them too.
    Blocked,
    Nobody,
}

impl AdmissionState {
    pub(super) fn new(max_calls: u32) -> Self {
        Self {
            free: max_calls,
            max_calls,
            plugins: HashMap::default(),
            users: HashMap::default(),
            waiting: [0; PRIORITIES],
            next_ticket: 0,
            typical_hold: Duration::ZERO,
        }
    }

    /// Returns a new ticket. Tickets grow, so a later call has a larger one.
    pub(super) fn next_ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.iter().sum()
    }

    /// Returns true if that call could begin if nobody else waited.
    pub(super) fn may_start(&self, ask: &Ask) -> bool {
        static NOTHING: InPlugin = InPlugin::NOTHING;
        let plugin = self.plugins.get(&ask.plugin).unwrap_or(&NOTHING);
        self.may(plugin, ask) == Some(true)
    }

    /// Returns whether there are places enough for a call; `None` if the call's user has no share left.
    fn may(&self, plugin: &InPlugin, ask: &Ask) -> Option<bool> {
        let left = self.left_to(plugin, ask);
        let first_in_plugin = plugin.calls_of(ask.from.user) == 0;
        // Like a plugin, a user takes at most as many of all places as are still free. A user whose calls hang in one plugin can
        // still use the others.
        let has_share = plugin.has_share(ask.from, left)
            && (first_in_plugin || self.places_of(ask.from.user) < self.free);
        has_share.then_some(ask.places <= self.free)
    }

    /// Counts the further calls that the plugin may have if no other plugin takes a place.
    fn left_to(&self, plugin: &InPlugin, ask: &Ask) -> u32 {
        let of_limit = ask.calls.saturating_sub(plugin.calls);
        // Each call that begins raises the plugin's count and lowers the free one, hence half of the difference.
        let of_free = self.free.saturating_sub(plugin.places).div_ceil(2 * ask.places.max(1));
        let left = of_limit.min(of_free);
        if self.free > self.max_calls / RESERVE {
            left
        } else {
            left.min(CALLS_FROM_RESERVE.saturating_sub(plugin.calls))
        }
    }

    fn places_of(&self, user: UserId) -> u32 {
        self.users.get(&user).map_or(0, |user| user.places)
    }

    pub(super) fn take(&mut self, ask: &Ask) {
        self.free -= ask.places;
        self.plugins.entry(ask.plugin).or_default().take(ask.from, ask.places);
        self.users.entry(ask.from.user).or_default().places += ask.places;
    }

    pub(super) fn give_back(&mut self, plugin: PluginKey, from: Originator, places: u32) {
        self.free += places;
        if let Some(of_plugin) = self.plugins.get_mut(&plugin) {
            of_plugin.give_back(from, places);
        }
        if let Some(user) = self.users.get_mut(&from.user) {
            user.places -= places;
        }
        self.tidy(plugin, from.user);
    }

    pub(super) fn push(&mut self, waiter: Waiter) {
        let (plugin, user, priority) =
            (waiter.ask.plugin, waiter.ask.from.user, waiter.ask.priority as usize);
        self.waiting[priority] += 1;
        self.users.entry(user).or_default().waiting[priority] += 1;
        self.plugins.entry(plugin).or_default().push(waiter);
    }

    /// Takes out a call that does not want to wait any more. Returns false if it waits no longer.
    pub(super) fn remove(
        &mut self,
        plugin: PluginKey,
        user: UserId,
        priority: Priority,
        ticket: u64,
    ) -> bool {
        self.take_out(plugin, user, priority, |of_plugin| of_plugin.remove(user, priority, ticket))
            .is_some()
    }

    fn take_out(
        &mut self,
        plugin: PluginKey,
        user: UserId,
        priority: Priority,
        take: impl FnOnce(&mut InPlugin) -> Option<Waiter>,
    ) -> Option<Waiter> {
        let waiter = take(self.plugins.get_mut(&plugin)?)?;
        self.waiting[priority as usize] -= 1;
        if let Some(user) = self.users.get_mut(&user) {
            user.waiting[priority as usize] -= 1;
        }
        self.tidy(plugin, user);
        Some(waiter)
    }

    /// Takes the next call out of the queue. Between plugins, the user with the fewest places overall comes first.
    pub(super) fn next(&mut self, priority: Priority) -> AdmissionTurn {
        if self.waiting[priority as usize] == 0 {
            return AdmissionTurn::Nobody;
        }
        let waited_for = self.plugins.iter().filter(|(_, plugin)| plugin.waiting_at(priority) > 0);
        let nexts = waited_for.filter_map(|(key, plugin)| {
            let next = plugin.next(priority, |plugin, ask| self.may(plugin, ask))?;
            Some(((self.places_of(next.from.user), next.ticket), *key, next))
        });
        let Some((_, plugin, next)) = nexts.min_by_key(|(rank, ..)| *rank) else {
            return AdmissionTurn::Nobody;
        };
        if !next.fits {
            return AdmissionTurn::Blocked;
        }
        let user = next.from.user;
        match self.take_out(plugin, user, priority, |of_plugin| of_plugin.pop(user, priority)) {
            Some(waiter) => AdmissionTurn::Starts(waiter),
            None => AdmissionTurn::Nobody,
        }
    }

    /// Makes room in the queue for one more call, by turning away one that is less urgent or whose user has more.
    pub(super) fn make_room(&mut self, ask: &Ask, max_waiting: u32) -> Result<(), NotAdmitted> {
        if let Some(plugin) = self.plugins.get(&ask.plugin)
            && plugin.waiting_count() >= ask.calls as usize
        {
            let (user, priority) =
                plugin.gives_way(ask).ok_or(NotAdmitted::PluginBusy { limit: ask.calls })?;
            self.turn_away(ask.plugin, user, priority);
        }
        if self.waiting_count() >= max_waiting as usize {
            let (plugin, user, priority) =
                self.gives_way(ask).ok_or(NotAdmitted::QueueFull { limit: max_waiting })?;
            self.turn_away(plugin, user, priority);
        }
        Ok(())
    }

    /// Drops the call's end of the channel, which tells it.
    fn turn_away(&mut self, plugin: PluginKey, user: UserId, priority: Priority) {
        let newest = |of_plugin: &mut InPlugin| of_plugin.pop_newest(user, priority);
        drop(self.take_out(plugin, user, priority, newest));
    }

    /// Returns the user whose newest waiting call gives way in a full queue: the newest of a lower priority, or else one of the
    /// user with the most waiting calls, if the new call's user has fewer.
    fn gives_way(&self, ask: &Ask) -> Option<(PluginKey, UserId, Priority)> {
        let newest = |priority: Priority| {
            let newest = self.plugins.iter().filter_map(|(key, plugin)| {
                let (ticket, user) = plugin.newest_at(priority)?;
                Some((ticket, *key, user))
            });
            newest.max_by_key(|(ticket, ..)| *ticket).map(|(_, key, user)| (key, user, priority))
        };
        if let Some(less_urgent) = ask.priority.less_urgent().find_map(newest) {
            return Some(less_urgent);
        }
        let waiting = |user: &OfUser| user.waiting[ask.priority as usize];
        let own = self.users.get(&ask.from.user).map_or(0, waiting);
        let (richest, has) =
            self.users.iter().map(|(id, user)| (*id, waiting(user))).max_by_key(|(_, has)| *has)?;
        let plugin = self
            .plugins
            .iter()
            .find_map(|(key, plugin)| plugin.has_waiting(richest, ask.priority).then_some(*key))?;
        (has > own + 1).then_some((plugin, richest, ask.priority))
    }

    /// Counts the calls waiting for that plugin that have their turn before a new one.
    pub(super) fn ahead_in_plugin(&self, ask: &Ask) -> u32 {
        self.plugins.get(&ask.plugin).map_or(0, |plugin| plugin.ahead_of(ask))
    }

    /// Counts all waiting calls that have their turn before a new one. Returns 0 if fewer wait than may be under way, because
    /// then they do not delay a new one by a turn.
    pub(super) fn ahead(&self, ask: &Ask) -> u32 {
        let waiting: usize = self.waiting[..=ask.priority as usize].iter().sum();
        if waiting + 1 < self.max_calls as usize {
            return 0;
        }
        let own = self.users.get(&ask.from.user).copied().unwrap_or_default();
        let index = own.places + own.waiting(ask.priority);
        let others = self.users.iter().filter(|(id, _)| **id != ask.from.user);
        let before = others.map(|(_, user)| {
            user.waiting(ask.priority).min((index + 1).saturating_sub(user.places))
        });
        own.waiting(ask.priority) + before.sum::<u32>()
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.plugins.len() + self.users.len()
    }

    fn tidy(&mut self, plugin: PluginKey, user: UserId) {
        let is_gone = |user: &OfUser| user.places == 0 && user.waiting(Priority::LEAST) == 0;
        if self.users.get(&user).is_some_and(is_gone) {
            self.users.remove(&user);
        }
        if self.plugins.len() > IDLE_PLUGINS
            && self.plugins.get(&plugin).is_some_and(InPlugin::is_idle)
        {
            self.plugins.remove(&plugin);
        }
    }
}
