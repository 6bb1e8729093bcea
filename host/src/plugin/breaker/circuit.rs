//! One circuit: closed while calls go well, open for a pause after failures in a row, and then tried with one call.

use std::time::Duration;

use tokio::time::Instant;

use crate::plugin::breaker::BreakerConfig;
use crate::plugin::breaker::Condition;
use crate::plugin::breaker::Verdict;
use crate::plugin::originator::Originator;
use crate::plugin::originator::TenantId;
use crate::plugin::originator::UserId;

/// So many different users make several: two may be one person with two accounts, or chance.
const SEVERAL_USERS: usize = 3;
/// The same of tenants.
const SEVERAL_TENANTS: usize = 2;

/// Whether calls go through, for everybody or for one user or tenant.
#[derive(Debug)]
pub(super) enum Circuit {
    Closed(Row),
    Paused { until: Instant, pause: Duration },
    Probing { pause: Duration },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed(Row::default())
    }
}

/// Failures in a row, and whose calls they were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    failures: u32,
    users: Few<UserId, SEVERAL_USERS>,
    tenants: Few<TenantId, SEVERAL_TENANTS>,
}

/// The first few different ones: more are not counted.
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

impl Row {
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

/// What a verdict brought about in one circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Opened(Duration),
    Closed,
}

impl Circuit {
    /// How long no call may begin; none, if one may now. Zero while one is being tried.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        match *self {
            Self::Closed(_) => None,
            Self::Paused { until, .. } => {
                until.checked_duration_since(now).filter(|left| !left.is_zero())
            }
            Self::Probing { .. } => Some(Duration::ZERO),
        }
    }

    /// A call begins that [`left`](Self::left) allows. Whether it is the one that tries.
    pub(super) fn begin(&mut self) -> bool {
        match *self {
            Self::Paused { pause, .. } => {
                *self = Self::Probing { pause };
                true
            }
            Self::Closed(_) | Self::Probing { .. } => false,
        }
    }

    /// A call has ended. It opens a closed circuit if that makes a row that `is_enough`.
    pub(super) fn settle(
        &mut self,
        end: End,
        config: &BreakerConfig,
        is_enough: impl Fn(&Row) -> bool,
    ) -> Option<Turn> {
        match (&mut *self, end.was_probe, end.verdict) {
            (Self::Closed(row), _, Verdict::Good) => {
                *row = Row::default();
                None
            }
            (Self::Closed(row), _, Verdict::Failed) => {
                row.note(end.from);
                let is_enough = is_enough(row);
                is_enough.then(|| self.pause(end.at, Duration::from_millis(config.pause_ms)))
            }
            (Self::Probing { .. }, true, Verdict::Good) => {
                *self = Self::default();
                Some(Turn::Closed)
            }
            (Self::Probing { pause }, true, Verdict::Failed) => {
                let pause = (*pause * 2).min(Duration::from_millis(config.max_pause_ms));
                Some(self.pause(end.at, pause))
            }
            (Self::Probing { .. }, true, Verdict::Neither) => {
                self.give_up_probe(end.at);
                None
            }
            // Calls that began before the pause say nothing about how it is now.
            (Self::Paused { .. } | Self::Probing { .. }, ..)
            | (Self::Closed(_), _, Verdict::Neither) => None,
        }
    }

    fn pause(&mut self, now: Instant, pause: Duration) -> Turn {
        *self = Self::Paused { until: now + pause, pause };
        Turn::Opened(pause)
    }

    /// The call that was to try came to nothing: the next one may.
    pub(super) fn give_up_probe(&mut self, now: Instant) {
        if let Self::Probing { pause } = *self {
            *self = Self::Paused { until: now, pause };
        }
    }

    /// Nothing worth remembering.
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

/// How a call ended, for one circuit.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) from: Originator,
    pub(super) was_probe: bool,
    pub(super) verdict: Verdict,
    pub(super) at: Instant,
}
