//! Pauses a plugin that keeps failing: each failure costs its user an error and everybody else a share of the machine.
//!
//! After a pause one callback is let through. If it goes well, the plugin is back; if not, the next pause is twice as
//! long. A new version of the plugin begins with a clean record.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

/// `[breaker]` of a sidecar file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row before the plugin is paused. Fewer than three would punish one bad button pressed twice.
    pub failures: u32,
    /// The first pause. A user who tries again a moment later finds the plugin back, if it can be.
    pub pause_ms: u64,
    /// The longest pause. A plugin that was broken by something outside is back within a minute of its repair.
    pub max_pause_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 5, pause_ms: 1000, max_pause_ms: 60_000 }
    }
}

/// Settings that make no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("breaker.{0}")]
pub struct BreakerConfigError(&'static str);

impl BreakerConfig {
    /// Checks the numbers.
    pub fn validate(&self) -> Result<(), BreakerConfigError> {
        match self {
            Self { failures: 0, .. } => {
                Err(BreakerConfigError("failures must be 1 or more; a large number never pauses"))
            }
            Self { pause_ms: 0, .. } => Err(BreakerConfigError("pause_ms must be 1 or more")),
            Self { pause_ms, max_pause_ms, .. }
                if max_pause_ms < pause_ms || *max_pause_ms > 86_400_000 =>
            {
                Err(BreakerConfigError("max_pause_ms must be between pause_ms and 86400000"))
            }
            Self { .. } => Ok(()),
        }
    }
}

/// One plugin's record.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Paused { until: Instant, pause: Duration },
    Probing { pause: Duration },
}

/// What a breaker says of its plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Calls go through.
    Running,
    /// None do, for that long.
    Paused(Duration),
    /// One is under way to see whether it goes well again.
    Probing,
}

impl Condition {
    /// As it stands in the list of plugins.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused(_) => "paused",
            Self::Probing => "probing",
        }
    }
}

/// Why a call may not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    /// Until the next one may; zero while one is being tried.
    pub left: Duration,
}

/// How a call went, as far as its plugin is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Failed,
    /// It did not come to anything, and not by the plugin's fault.
    Neither,
}

/// What a verdict brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Paused(Duration),
    Resumed,
}

/// Leave to start one call.
#[derive(Debug)]
pub struct Pass {
    breaker: Arc<Breaker>,
    kind: PassKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassKind {
    Ordinary,
    Probe,
    Settled,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// May a call be started now?
    pub fn pass(self: &Arc<Self>, now: Instant) -> Result<Pass, Paused> {
        let mut state = self.lock();
        let kind = match *state {
            State::Closed { .. } => PassKind::Ordinary,
            State::Paused { until, pause } if until <= now => {
                *state = State::Probing { pause };
                PassKind::Probe
            }
            State::Paused { until, .. } => return Err(Paused { left: until - now }),
            State::Probing { .. } => return Err(Paused { left: Duration::ZERO }),
        };
        Ok(Pass { breaker: Arc::clone(self), kind })
    }

    /// Forgets every failure.
    pub(super) fn reset(&self) {
        *self.lock() = State::Closed { failures: 0 };
    }

    /// How it stands.
    pub fn condition(&self, now: Instant) -> Condition {
        match *self.lock() {
            State::Closed { .. } => Condition::Running,
            State::Paused { until, .. } => Condition::Paused(until.saturating_duration_since(now)),
            State::Probing { .. } => Condition::Probing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn max_pause(&self) -> Duration {
        Duration::from_millis(self.config.max_pause_ms)
    }
}

impl Pass {
    /// The call has ended.
    pub(super) fn settle(mut self, verdict: Verdict, now: Instant) -> Option<Change> {
        let kind = std::mem::replace(&mut self.kind, PassKind::Settled);
        let breaker = &self.breaker;
        let mut state = breaker.lock();
        let pause_for = |state: &mut State, pause: Duration| {
            *state = State::Paused { until: now + pause, pause };
            Some(Change::Paused(pause))
        };
        match (&mut *state, kind, verdict) {
            (State::Closed { failures }, _, Verdict::Good) => {
                *failures = 0;
                None
            }
            (State::Closed { failures }, _, Verdict::Failed) => {
                *failures += 1;
                let too_many = *failures >= breaker.config.failures;
                let pause = Duration::from_millis(breaker.config.pause_ms);
                if too_many { pause_for(&mut state, pause) } else { None }
            }
            (State::Probing { .. }, PassKind::Probe, Verdict::Good) => {
                *state = State::Closed { failures: 0 };
                Some(Change::Resumed)
            }
            (State::Probing { pause }, PassKind::Probe, Verdict::Failed) => {
                let pause = (*pause * 2).min(breaker.max_pause());
                pause_for(&mut state, pause)
            }
            (State::Probing { pause }, PassKind::Probe, Verdict::Neither) => {
                *state = State::Paused { until: now, pause: *pause };
                None
            }
            // Calls that began before the pause say nothing about how it is now.
            (State::Paused { .. } | State::Probing { .. }, ..)
            | (State::Closed { .. }, _, Verdict::Neither) => None,
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.kind == PassKind::Probe {
            // It never got to its call: the next one may try.
            let mut state = self.breaker.lock();
            if let State::Probing { pause } = *state {
                *state = State::Paused { until: Instant::now(), pause };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new(BreakerConfig { failures: 3, pause_ms: 1000, max_pause_ms: 3000 }))
    }

    fn call(breaker: &Arc<Breaker>, verdict: Verdict, now: Instant) -> Option<Change> {
        breaker.pass(now).unwrap().settle(verdict, now)
    }

    #[test]
    fn failures_in_a_row_pause_and_a_good_call_begins_a_new_row() {
        let (breaker, now) = (breaker(), Instant::now());
        for verdict in [Verdict::Failed, Verdict::Failed, Verdict::Good, Verdict::Failed] {
            assert_eq!(call(&breaker, verdict, now), None);
        }
        assert_eq!(call(&breaker, Verdict::Failed, now), None);
        assert_eq!(call(&breaker, Verdict::Failed, now), Some(Change::Paused(SECOND)));
        assert_eq!(breaker.pass(now).unwrap_err(), Paused { left: SECOND });
    }

    #[test]
    fn one_call_is_tried_after_a_pause_and_each_pause_is_longer_up_to_a_limit() {
        let (breaker, mut now) = (breaker(), Instant::now());
        for _ in 0..3 {
            call(&breaker, Verdict::Failed, now);
        }
        for seconds in [2, 3, 3] {
            now += 3 * SECOND;
            let probe = breaker.pass(now).unwrap();
            assert!(breaker.pass(now).is_err(), "only one is tried");
            assert_eq!(probe.settle(Verdict::Failed, now), Some(Change::Paused(seconds * SECOND)));
        }
        now += 3 * SECOND;
        assert_eq!(call(&breaker, Verdict::Good, now), Some(Change::Resumed));
        assert_eq!(breaker.condition(now), Condition::Running);
    }

    #[test]
    fn a_trial_that_never_began_leaves_the_trial_to_the_next() {
        let (breaker, now) = (breaker(), Instant::now());
        for _ in 0..3 {
            call(&breaker, Verdict::Failed, now);
        }
        drop(breaker.pass(now + SECOND).unwrap());
        let later = Instant::now() + SECOND;
        assert_eq!(call(&breaker, Verdict::Neither, later), None);
        assert_eq!(call(&breaker, Verdict::Good, later), Some(Change::Resumed));
    }

    #[test]
    fn calls_from_before_a_pause_do_not_count_any_more() {
        let (breaker, now) = (breaker(), Instant::now());
        let passes: Vec<_> = (0..5).map(|_| breaker.pass(now).unwrap()).collect();
        let changes: Vec<_> =
            passes.into_iter().filter_map(|pass| pass.settle(Verdict::Failed, now)).collect();
        assert_eq!(changes, [Change::Paused(SECOND)]);
    }
}
