//! Pauses a plugin that keeps failing: each failure shows a user an error and takes time from other plugins.
//!
//! A pause covers the users whose calls fail. One user's failures pause the plugin for that user, those of several users of
//! one tenant for that tenant, and those of several tenants, or of the only tenant there is, for all.
//!
//! After a pause one call is let through as a probe. If it succeeds, the pause is over; if not, the next pause is twice as
//! long. A new version of the plugin begins with a clean record.

mod circuit;
mod circuits;

use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use serde::Deserialize;
use tokio::time::Instant;

use crate::plugin::breaker::circuit::BreakerTurn;
use crate::plugin::breaker::circuit::CallEnd;
use crate::plugin::breaker::circuit::Circuit;
use crate::plugin::breaker::circuit::FailureStreak;
use crate::plugin::breaker::circuits::Circuits;
use crate::plugin::originator::Originator;
use crate::plugin::originator::TenantId;
use crate::plugin::originator::UserId;
use crate::setting::Section;
use crate::setting::SettingError;

/// `[breaker]` of a sidecar file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row before the plugin is paused for those whose calls failed. Fewer than three would punish one bad
    /// button pressed twice.
    pub failures: u32,
    /// Milliseconds of the first pause. A user who tries again a moment later finds the plugin back, if it works again.
    pub pause_ms: u64,
    /// Milliseconds of the longest pause. A plugin that failed because of something outside is back within a minute of its
    /// repair.
    pub max_pause_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 5, pause_ms: 1000, max_pause_ms: 60_000 }
    }
}

impl BreakerConfig {
    /// Checks that the numbers are in range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("breaker");
        if self.failures == 0 {
            let problem = "0 is not 1 or more; a large number never pauses";
            return Err(section.wrong("failures", problem));
        }
        section.at_least("pause_ms", self.pause_ms, 1)?;
        if !(self.pause_ms..=86_400_000).contains(&self.max_pause_ms) {
            let problem = format!("{} is not between pause_ms and 86400000", self.max_pause_ms);
            return Err(section.wrong("max_pause_ms", problem));
        }
        Ok(())
    }
}

/// The breaker of one plugin, with the circuits of its users and tenants.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: Mutex<AllCircuits>,
}

#[derive(Debug, Default)]
struct AllCircuits {
    all: Circuit,
    tenants: Circuits<TenantId>,
    users: Circuits<UserId>,
    seen: Seen,
}

/// The tenants that have called the plugin. If there is only one, its failures are everybody's.
#[derive(Clone, Copy, Debug, Default)]
enum Seen {
    #[default]
    Nobody,
    One(TenantId),
    Several,
}

impl Seen {
    fn note(&mut self, tenant: TenantId) {
        *self = match *self {
            Self::Nobody => Self::One(tenant),
            Self::One(known) if known == tenant => return,
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Calls are let through.
    Running,
    /// No calls are let through, for this long.
    Paused(Duration),
    /// A probe is under way to see whether calls succeed again.
    Probing,
}

/// The users that a pause covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All users of the plugin.
    All,
    /// The users of one tenant.
    Tenant,
    /// One user of one tenant.
    User,
}

impl Scope {
    /// Returns the words for log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "everybody",
            Self::Tenant => "this tenant",
            Self::User => "this user",
        }
    }
}

/// Why a call may not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    /// The users that are paused.
    pub scope: Scope,
    /// The time until the next call may start; zero while a probe is under way.
    pub left: Duration,
}

/// Pauses of single tenants and users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PausedFor {
    /// Tenants for whom the plugin is paused.
    pub tenants: usize,
    /// Users for whom the plugin is paused.
    pub users: usize,
}

/// The result of a call, as far as the plugin is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallVerdict {
    Good,
    Failed,
    /// The call did not run to its end, through no fault of the plugin.
    Neither,
}

/// A pause that begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Paused(Scope, Duration),
    Resumed(Scope),
}

/// Permission to start one call.
#[derive(Debug)]
pub struct Pass {
    breaker: Arc<Breaker>,
    from: Originator,
    /// `None` once the call has ended.
    probes: Option<Probes>,
}

/// The circuits for which a call is the probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Probes {
    all: bool,
    tenant: bool,
    user: bool,
}

impl Breaker {
    /// Makes the breaker of a plugin that was never called.
    pub fn new(config: BreakerConfig) -> Self {
        Self { config, state: Mutex::default() }
    }

    /// Asks for permission to start a call for that user.
    pub fn pass(self: &Arc<Self>, now: Instant, from: Originator) -> Result<Pass, Paused> {
        let mut state = self.state.lock();
        let AllCircuits { all, tenants, users, .. } = &mut *state;
        // All circuits are checked before any probe begins: a call that one of them refuses is not a probe of the others.
        let scopes = [
            (Scope::All, Some(&*all)),
            (Scope::Tenant, tenants.get(from.tenant)),
            (Scope::User, users.get(from.user)),
        ];
        for (scope, circuit) in scopes {
            if let Some(left) = circuit.and_then(|circuit| circuit.left(now)) {
                return Err(Paused { scope, left });
            }
        }
        let probes = Probes {
            all: all.begin(),
            tenant: tenants.get_mut(from.tenant).is_some_and(Circuit::begin),
            user: users.get_mut(from.user).is_some_and(Circuit::begin),
        };
        drop(state);
        Ok(Pass { breaker: Arc::clone(self), from, probes: Some(probes) })
    }

    pub(super) fn reset(&self) {
        *self.state.lock() = AllCircuits::default();
    }

    /// Returns the state for all users.
    pub fn condition(&self, now: Instant) -> Condition {
        self.state.lock().all.condition(now)
    }

    /// Counts the tenants and users for whom the plugin is paused.
    pub fn paused_for(&self) -> PausedFor {
        let state = self.state.lock();
        PausedFor { tenants: state.tenants.paused(), users: state.users.paused() }
    }
}

impl AllCircuits {
    /// Records the end of a call. Returns the change for the widest scope, if there are several.
    fn settle(
        &mut self,
        config: &BreakerConfig,
        Probes { all, tenant, user }: Probes,
        from: Originator,
        verdict: CallVerdict,
        now: Instant,
    ) -> Option<Change> {
        self.seen.note(from.tenant);
        let is_row = |row: &FailureStreak| row.failures() >= config.failures;
        let is_tenants = |row: &FailureStreak| is_row(row) && row.has_several_users();
        let is_alone = !matches!(self.seen, Seen::Several);
        let is_everybody_s =
            |row: &FailureStreak| is_tenants(row) && (is_alone || row.has_several_tenants());
        let end = |was_probe| CallEnd { from, was_probe, verdict, at: now };
        if verdict == CallVerdict::Failed {
            self.tenants.failed(from.tenant);
            self.users.failed(from.user);
        }
        let turns = [
            (Scope::All, self.all.settle(end(all), config, is_everybody_s)),
            (
                Scope::Tenant,
                self.tenants
                    .get_mut(from.tenant)
                    .and_then(|circuit| circuit.settle(end(tenant), config, is_tenants)),
            ),
            (
                Scope::User,
                self.users
                    .get_mut(from.user)
                    .and_then(|circuit| circuit.settle(end(user), config, is_row)),
            ),
        ];
        self.tenants.tidy(from.tenant);
        self.users.tidy(from.user);
        turns.into_iter().find_map(|(scope, turn)| {
            Some(match turn? {
                BreakerTurn::Opened(pause) => Change::Paused(scope, pause),
                BreakerTurn::Closed => Change::Resumed(scope),
            })
        })
    }
}

impl Pass {
    /// Records the end of the call.
    pub(super) fn settle(mut self, verdict: CallVerdict, now: Instant) -> Option<Change> {
        let probes = self.probes.take().unwrap_or_default();
        self.breaker.state.lock().settle(&self.breaker.config, probes, self.from, verdict, now)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(probes) = self.probes.take().filter(|probes| *probes != Probes::default()) else {
            return;
        };
        // The call was never made, so the next one may be the probe.
        let (now, mut state) = (Instant::now(), self.breaker.state.lock());
        let AllCircuits { all, tenants, users, .. } = &mut *state;
        let circuits = [
            (probes.all, Some(all)),
            (probes.tenant, tenants.get_mut(self.from.tenant)),
            (probes.user, users.get_mut(self.from.user)),
        ];
        for (is_probe, circuit) in circuits {
            if let Some(circuit) = circuit.filter(|_| is_probe) {
                circuit.give_up_probe(now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
