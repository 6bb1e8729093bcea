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

/// The part of the places that is kept for plugins with hardly a call under way: one in four.
const RESERVE: u32 = 4;
/// What hardly means. A healthy call takes a millisecond, so two at once are hundreds in a second.
const CALLS_FROM_RESERVE: u32 = 2;
/// Plugins without a call under way whose counts are kept, so that the next call takes no memory.
const IDLE_PLUGINS: usize = 256;

/// Who has places, and who waits for one.
#[derive(Debug)]
pub(super) struct State {
    pub(super) free: u32,
    max_calls: u32,
    plugins: HashMap<PluginKey, InPlugin, BuildHasherDefault<Spread>>,
    users: HashMap<UserId, OfUser, BuildHasherDefault<Spread>>,
    waiting: [usize; PRIORITIES],
    next_ticket: u64,
    /// How long places are taken for, lately.
    pub(super) typical_hold: Duration,
}

/// What one user has of all plugins together.
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

/// The keys are addresses and numbers made with a secret: nobody outside chooses them, and a multiplication spreads them.
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

/// Whose turn it is among all who wait.
pub(super) enum Turn {
    /// This one's; it waits no longer.
    Starts(Waiter),
    /// One's that needs more places than are free: all others wait for them too.
    Blocked,
    Nobody,
}

impl State {
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

    /// Numbers grow: who came later has the larger one.
    pub(super) fn next_ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.iter().sum()
    }

    /// Whether that call may begin, were nobody else waiting.
    pub(super) fn may_start(&self, ask: &Ask) -> bool {
        static NOTHING: InPlugin = InPlugin::NOTHING;
        let plugin = self.plugins.get(&ask.plugin).unwrap_or(&NOTHING);
        self.may(plugin, ask) == Some(true)
    }

    /// Whether there are places enough for a call that has a share left; none, if it has not.
    fn may(&self, plugin: &InPlugin, ask: &Ask) -> Option<bool> {
        let left = self.left_to(plugin, ask);
        let first_in_plugin = plugin.calls_of(ask.from.user) == 0;
        // Of all places a user takes at most as many as are still free, as a plugin does. Who hangs in one plugin may go
        // on using the others.
        let has_share = plugin.has_share(ask.from, left)
            && (first_in_plugin || self.places_of(ask.from.user) < self.free);
        has_share.then_some(ask.places <= self.free)
    }

    /// Calls that the plugin may have besides those under way, if no other plugin takes a place.
    fn left_to(&self, plugin: &InPlugin, ask: &Ask) -> u32 {
        let of_limit = ask.calls.saturating_sub(plugin.calls);
        // Each one that it takes is one more that it has, and one less that is free.
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

    /// One who does not want to wait any more. False, if it waits no longer.
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

    /// Takes the next one out of the queue. Between plugins, who has the fewest places of all comes first.
    pub(super) fn next(&mut self, priority: Priority) -> Turn {
        if self.waiting[priority as usize] == 0 {
            return Turn::Nobody;
        }
        let waited_for = self.plugins.iter().filter(|(_, plugin)| plugin.waiting_at(priority) > 0);
        let nexts = waited_for.filter_map(|(key, plugin)| {
            let next = plugin.next(priority, |plugin, ask| self.may(plugin, ask))?;
            Some(((self.places_of(next.from.user), next.ticket), *key, next))
        });
        let Some((_, plugin, next)) = nexts.min_by_key(|(rank, ..)| *rank) else {
            return Turn::Nobody;
        };
        if !next.fits {
            return Turn::Blocked;
        }
        let user = next.from.user;
        match self.take_out(plugin, user, priority, |of_plugin| of_plugin.pop(user, priority)) {
            Some(waiter) => Turn::Starts(waiter),
            None => Turn::Nobody,
        }
    }

    /// Makes sure that one more may wait, at the cost of who is less urgent or has more.
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

    /// Its end of the channel is dropped, which tells it.
    fn turn_away(&mut self, plugin: PluginKey, user: UserId, priority: Priority) {
        let newest = |of_plugin: &mut InPlugin| of_plugin.pop_newest(user, priority);
        drop(self.take_out(plugin, user, priority, newest));
    }

    /// Who gives way to a newcomer in a full queue: the newest of something less urgent, or the user with the most who wait.
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

    /// How many of those that wait for that plugin will have their turn before a newcomer.
    pub(super) fn ahead_in_plugin(&self, ask: &Ask) -> u32 {
        self.plugins.get(&ask.plugin).map_or(0, |plugin| plugin.ahead_of(ask))
    }

    /// How many of all that wait will, as far as that matters: where fewer wait than calls may be under way, nobody is a
    /// turn ahead.
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
