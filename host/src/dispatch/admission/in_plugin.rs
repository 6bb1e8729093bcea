//! The calls of one plugin, running and waiting, by tenant and by user.
//!
//! Of the plugin's places one tenant takes no more than seven in eight, and one user no more than half of what is left to that
//! tenant: however many calls of some users hang, the next user finds a place. Among the waiting calls, those of the tenant with
//! the fewest running calls come first, then those of its user with the fewest, then the oldest.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::dispatch::admission::AdmissionPlace;
use crate::dispatch::admission::Ask;
use crate::dispatch::admission::PRIORITIES;
use crate::dispatch::admission::Priority;
use crate::plugin::originator::Originator;
use crate::plugin::originator::TenantId;
use crate::plugin::originator::UserId;

/// One in this many of a plugin's places is for other tenants.
const FOR_OTHER_TENANTS: u32 = 8;

/// Counts and queues of one plugin's calls, for each tenant and user.
#[derive(Debug, Default)]
pub(super) struct InPlugin {
    pub(super) calls: u32,
    pub(super) places: u32,
    /// The number of waiting calls, by priority.
    waiting: [usize; PRIORITIES],
    /// Vectors, because there are few entries at a time and searching them is quicker than hashing.
    tenants: Vec<Tenant>,
    users: Vec<User>,
}

#[derive(Debug)]
struct Tenant {
    id: TenantId,
    calls: u32,
}

#[derive(Debug)]
struct User {
    id: UserId,
    tenant: TenantId,
    calls: u32,
    waiting: [VecDeque<Waiter>; PRIORITIES],
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ticket: u64,
    pub(super) ask: Ask,
    pub(super) admit: oneshot::Sender<AdmissionPlace>,
}

/// The waiting call that is next in this plugin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) from: Originator,
    pub(super) ticket: u64,
    /// There are places enough for it; if not, no smaller call may go past it.
    pub(super) fits: bool,
}

impl User {
    fn waiting(&self, up_to: Priority) -> u32 {
        let count: usize = self.waiting[..=up_to as usize].iter().map(VecDeque::len).sum();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn all_waiting(&self) -> u32 {
        self.waiting(Priority::LEAST)
    }

    fn is_gone(&self) -> bool {
        self.calls == 0 && self.all_waiting() == 0
    }
}

impl InPlugin {
    /// The state of a plugin that nobody has called.
    pub(super) const NOTHING: Self = Self {
        calls: 0,
        places: 0,
        waiting: [0; PRIORITIES],
        tenants: Vec::new(),
        users: Vec::new(),
    };

    pub(super) fn is_idle(&self) -> bool {
        self.calls == 0 && self.waiting_count() == 0
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.iter().sum()
    }

    pub(super) fn waiting_at(&self, priority: Priority) -> usize {
        self.waiting[priority as usize]
    }

    pub(super) fn calls_of(&self, user: UserId) -> u32 {
        self.user(user).map_or(0, |user| user.calls)
    }

    /// Returns true if this user may have one more call, given that the plugin may have `left` more.
    pub(super) fn has_share(&self, from: Originator, left: u32) -> bool {
        let tenant = self.calls_of_tenant(from.tenant);
        let tenants_most = left.saturating_mul(FOR_OTHER_TENANTS - 1);
        let left_to_tenant = tenants_most.saturating_sub(tenant).div_ceil(FOR_OTHER_TENANTS);
        self.calls_of(from.user) < left_to_tenant
    }

    /// Counts a call that begins.
    pub(super) fn take(&mut self, from: Originator, places: u32) {
        self.calls += 1;
        self.places += places;
        match self.tenants.iter_mut().find(|tenant| tenant.id == from.tenant) {
            Some(tenant) => tenant.calls += 1,
            None => self.tenants.push(Tenant { id: from.tenant, calls: 1 }),
        }
        self.user_mut(from).calls += 1;
    }

    /// Counts a call that has ended.
    pub(super) fn give_back(&mut self, from: Originator, places: u32) {
        self.calls -= 1;
        self.places -= places;
        if let Some(at) = self.tenants.iter().position(|tenant| tenant.id == from.tenant) {
            self.tenants[at].calls -= 1;
            if self.tenants[at].calls == 0 {
                self.tenants.swap_remove(at);
            }
        }
        if let Some(user) = self.users.iter_mut().find(|user| user.id == from.user) {
            user.calls -= 1;
        }
        self.tidy(from.user);
    }

    pub(super) fn push(&mut self, waiter: Waiter) {
        let (from, priority) = (waiter.ask.from, waiter.ask.priority as usize);
        self.waiting[priority] += 1;
        self.user_mut(from).waiting[priority].push_back(waiter);
    }

    /// Takes out the user's oldest waiting call.
    pub(super) fn pop(&mut self, user: UserId, priority: Priority) -> Option<Waiter> {
        self.take_out(user, priority, VecDeque::pop_front)
    }

    /// Takes out the user's newest waiting call.
    pub(super) fn pop_newest(&mut self, user: UserId, priority: Priority) -> Option<Waiter> {
        self.take_out(user, priority, VecDeque::pop_back)
    }

    /// Takes out the call with that ticket; `None` if it does not wait any more.
    pub(super) fn remove(
        &mut self,
        user: UserId,
        priority: Priority,
        ticket: u64,
    ) -> Option<Waiter> {
        self.take_out(user, priority, |queue| {
            // Tickets grow from the front to the back of a queue.
            let at = queue.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
            queue.remove(at)
        })
    }

    fn take_out(
        &mut self,
        user: UserId,
        priority: Priority,
        take: impl FnOnce(&mut VecDeque<Waiter>) -> Option<Waiter>,
    ) -> Option<Waiter> {
        let found = self.users.iter_mut().find(|known| known.id == user)?;
        let waiter = take(&mut found.waiting[priority as usize])?;
        self.waiting[priority as usize] -= 1;
        self.tidy(user);
        Some(waiter)
    }

    /// Returns the call whose turn it is. `may` returns `None` for a call that may not begin, else whether places are enough.
    pub(super) fn next(
        &self,
        priority: Priority,
        may: impl Fn(&Self, &Ask) -> Option<bool>,
    ) -> Option<Next> {
        let firsts = self.users.iter().filter_map(|user| {
            let first = user.waiting[priority as usize].front()?;
            let fits = may(self, &first.ask)?;
            let rank = (self.calls_of_tenant(user.tenant), user.calls, first.ticket);
            Some((rank, Next { from: first.ask.from, ticket: first.ticket, fits }))
        });
        firsts.min_by_key(|(rank, _)| *rank).map(|(_, next)| next)
    }

    /// Returns the user whose newest waiting call gives way to a new one: the newest of a lower priority, or else of the
    /// user with the most calls. That user, or that user's tenant if it is another one, must have more than the new call's.
    pub(super) fn gives_way(&self, ask: &Ask) -> Option<(UserId, Priority)> {
        let newest = |priority| self.newest_at(priority).map(|(_, user)| (user, priority));
        if let Some(less_urgent) = ask.priority.less_urgent().find_map(newest) {
            return Some(less_urgent);
        }
        let own = self.user(ask.from.user).map_or(0, |user| user.calls + user.all_waiting());
        let own_tenant = self.all_of_tenant(ask.from.tenant);
        let others = self.users.iter().filter(|user| user.id != ask.from.user);
        let others = others.filter(|user| !user.waiting[ask.priority as usize].is_empty());
        let richer = others.filter_map(|user| {
            let has = user.calls + user.all_waiting();
            let tenant = self.all_of_tenant(user.tenant);
            let is_richer =
                has > own + 1 || (user.tenant != ask.from.tenant && tenant > own_tenant + 1);
            is_richer.then_some(((has, tenant), user.id))
        });
        richer.max_by_key(|(has, _)| *has).map(|(_, user)| (user, ask.priority))
    }

    /// Counts the waiting calls that have their turn before a new one.
    pub(super) fn ahead_of(&self, ask: &Ask) -> u32 {
        let up_to = ask.priority;
        let before =
            |index: u32, calls: u32, waiting: u32| waiting.min((index + 1).saturating_sub(calls));
        let own = self.user(ask.from.user);
        let own_waiting = own.map_or(0, |user| user.waiting(up_to));
        let own_index = own.map_or(0, |user| user.calls) + own_waiting;
        let colleagues = self
            .users
            .iter()
            .filter(|user| user.tenant == ask.from.tenant && user.id != ask.from.user);
        let in_tenant: u32 = own_waiting
            + colleagues
                .map(|user| before(own_index, user.calls, user.waiting(up_to)))
                .sum::<u32>();
        let tenant_index = self.calls_of_tenant(ask.from.tenant) + in_tenant;
        let mut others: Vec<(TenantId, u32)> = Vec::new();
        for user in self.users.iter().filter(|user| user.tenant != ask.from.tenant) {
            match others.iter_mut().find(|(tenant, _)| *tenant == user.tenant) {
                Some((_, waiting)) => *waiting += user.waiting(up_to),
                None => others.push((user.tenant, user.waiting(up_to))),
            }
        }
        let others = others
            .into_iter()
            .map(|(tenant, waiting)| before(tenant_index, self.calls_of_tenant(tenant), waiting));
        in_tenant + others.sum::<u32>()
    }

    /// Returns the ticket and user of the newest waiting call.
    pub(super) fn newest_at(&self, priority: Priority) -> Option<(u64, UserId)> {
        let lasts = self
            .users
            .iter()
            .filter_map(|user| Some((user.waiting[priority as usize].back()?.ticket, user.id)));
        lasts.max_by_key(|(ticket, _)| *ticket)
    }

    pub(super) fn has_waiting(&self, user: UserId, priority: Priority) -> bool {
        self.user(user).is_some_and(|user| !user.waiting[priority as usize].is_empty())
    }

    fn all_of_tenant(&self, tenant: TenantId) -> u32 {
        let users = self.users.iter().filter(|user| user.tenant == tenant);
        users.map(|user| user.calls + user.all_waiting()).sum()
    }

    fn calls_of_tenant(&self, tenant: TenantId) -> u32 {
        self.tenants.iter().find(|known| known.id == tenant).map_or(0, |tenant| tenant.calls)
    }

    fn user(&self, user: UserId) -> Option<&User> {
        self.users.iter().find(|known| known.id == user)
    }

    fn user_mut(&mut self, from: Originator) -> &mut User {
        let at = match self.users.iter().position(|user| user.id == from.user) {
            Some(at) => at,
            None => {
                let (id, tenant) = (from.user, from.tenant);
                self.users.push(User { id, tenant, calls: 0, waiting: Default::default() });
                self.users.len() - 1
            }
        };
        &mut self.users[at]
    }

    fn tidy(&mut self, user: UserId) {
        if let Some(at) = self.users.iter().position(|known| known.id == user)
            && self.users[at].is_gone()
        {
            self.users.swap_remove(at);
        }
    }
}
