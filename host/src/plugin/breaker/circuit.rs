//! One circuit: closed while calls succeed, open for a pause after failures in a row, then probed with one call.

use std::time::Duration;

use tokio::time::Instant;

use crate::plugin::breaker::BreakerConfig;
use crate::plugin::breaker::CallVerdict;
use crate::plugin::breaker::Condition;
use crate::plugin::originator::Originator;
use crate::plugin::originator::TenantId;
use crate::plugin::originator::UserId;

/// Users that count as several. Two may be one person with two accounts, or chance.
const SEVERAL_USERS: usize = 3;
/// Tenants that count as several.
const SEVERAL_TENANTS: usize = 2;

/// The state of calls for everybody, for one tenant or for one user.
#[derive(Debug)]
pub(super) enum Circuit {
    Closed(FailureStreak),
    Paused { until: Instant, pause: Duration },
    Probing { pause: Duration },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed(FailureStreak::default())
    }
}

/// Failures in a row, with the users and tenants that called.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FailureStreak {
    failures: u32,
    users: Few<UserId, SEVERAL_USERS>,
    tenants: Few<TenantId, SEVERAL_TENANTS>,
}

/// The first few distinct values; further ones are not counted.
#[derive(Clone, Copy, Debug)]
struct Few<T, const MOST: usize>([Option<T>; MOST]);

impl<T: Copy, const MOST: usize> Default for Few<T, MOST> {
    fn default() -> Self {
        Self([None; MOST])
    }
}

impl<T: PartialEq, const MOST: usize> Few<T, MOST> {
    fn note(&mut self, one: T) {
        for place in &mut self.0 {
            match place {
                Some(known) if *known == one => return,
                Some(_) => {}
                None => {
                    *place = Some(one);
                    return;
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }
}

impl FailureStreak {
    fn note(&mut self, from: Originator) {
        self.failures = self.failures.saturating_add(1);
        self.users.note(from.user);
        self.tenants.note(from.tenant);
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn has_several_users(&self) -> bool {
        self.users.is_full()
    }

    pub(super) fn has_several_tenants(&self) -> bool {
        self.tenants.is_full()
    }
}

/// The effect of a verdict on one circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BreakerTurn {
    Opened(Duration),
    Closed,
}

impl Circuit {
    /// Returns the time until a call may begin, zero while a probe is under way. `None` if a call may begin now.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        match *self {
            Self::Closed(_) => None,
            Self::Paused { until, .. } => {
                until.checked_duration_since(now).filter(|left| !left.is_zero())
            }
            Self::Probing { .. } => Some(Duration::ZERO),
        }
    }

    /// Begins a call that [`left`](Self::left) allows. Returns true if it is the probe.
    pub(super) fn begin(&mut self) -> bool {
        match *self {
            Self::Paused { pause, .. } => {
                *self = Self::Probing { pause };
                true
            }
            Self::Closed(_) | Self::Probing { .. } => false,
        }
    }

    /// Records the end of a call. Opens a closed circuit if the failures in a row satisfy `is_enough`.
    pub(super) fn settle(
        &mut self,
        end: CallEnd,
        config: &BreakerConfig,
        is_enough: impl Fn(&FailureStreak) -> bool,
    ) -> Option<BreakerTurn> {
        match (&mut *self, end.was_probe, end.verdict) {
            (Self::Closed(row), _, CallVerdict::Good) => {
                *row = FailureStreak::default();
                None
            }
            (Self::Closed(row), _, CallVerdict::Failed) => {
                row.note(end.from);
                let is_enough = is_enough(row);
                is_enough.then(|| self.pause(end.at, Duration::from_millis(config.pause_ms)))
            }
            (Self::Probing { .. }, true, CallVerdict::Good) => {
                *self = Self::default();
                Some(BreakerTurn::Closed)
            }
            (Self::Probing { pause }, true, CallVerdict::Failed) => {
                let pause = (*pause * 2).min(Duration::from_millis(config.max_pause_ms));
                Some(self.pause(end.at, pause))
            }
            (Self::Probing { .. }, true, CallVerdict::Neither) => {
                self.give_up_probe(end.at);
                None
            }
            // Calls that began before the pause say nothing about the present.
            (Self::Paused { .. } | Self::Probing { .. }, ..)
            | (Self::Closed(_), _, CallVerdict::Neither) => None,
        }
    }

    fn pause(&mut self, now: Instant, pause: Duration) -> BreakerTurn {
        *self = Self::Paused { until: now + pause, pause };
        BreakerTurn::Opened(pause)
    }

    /// Records that the probe was not made: the next call may be one.
    pub(super) fn give_up_probe(&mut self, now: Instant) {
        if let Self::Probing { pause } = *self {
            *self = Self::Paused { until: now, pause };
        }
    }

    /// True if the circuit is closed and has no failures.
    pub(super) fn is_clean(&self) -> bool {
        matches!(self, Self::Closed(row) if row.failures == 0)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    pub(super) fn condition(&self, now: Instant) -> Condition {
        match *self {
            Self::Closed(_) => Condition::Running,
            Self::Paused { until, .. } => Condition::Paused(until.saturating_duration_since(now)),
            Self::Probing { .. } => Condition::Probing,
        }
    }
}

/// The end of a call, as one circuit sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallEnd {
    pub(super) from: Originator,
    pub(super) was_probe: bool,
    pub(super) verdict: CallVerdict,
    pub(super) at: Instant,
}
