//! How long each step of a callback's journey took: measured where the step is made, carried with the callback, and drawn by
//! whoever wants to see it. Costs a reading of the clock for each step.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use tokio::time::Instant;

/// What is done with a callback, in this order. Not every callback is called for, and not every call ends in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// From the first byte to the last.
    Receive,
    /// Decrypted, checked and understood.
    Verify,
    /// Allowed, admitted, and its turn on a guest thread.
    Queue,
    /// An instance, or one that was kept.
    Instantiate,
    /// The plugin, with the time in which it waited for the host. Where its call had not ended when the answer was due, all
    /// of the wait is here.
    Guest,
    /// The reply, against the platform's rules.
    Check,
    /// From the decision until the last byte of the answer is with the operating system.
    Send,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Receive,
        Self::Verify,
        Self::Queue,
        Self::Instantiate,
        Self::Guest,
        Self::Check,
        Self::Send,
    ];

    /// As it stands in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Verify => "verify",
            Self::Queue => "queue",
            Self::Instantiate => "instantiate",
            Self::Guest => "guest",
            Self::Check => "check",
            Self::Send => "send",
        }
    }
}

/// One step, or one call of the host inside the guest's: when it began, counted from the first byte, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Span {
    /// Microseconds from the first byte.
    pub at_us: u64,
    /// Microseconds.
    pub took_us: u64,
}

impl Span {
    /// From one moment of the journey to a later one. What begins there begins where this ends, to the microsecond.
    pub fn between(from: Duration, to: Duration) -> Self {
        let at_us = micros(from);
        Self { at_us, took_us: micros(to).saturating_sub(at_us) }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The steps of one callback so far.
#[derive(Clone, Debug)]
pub struct Steps {
    began: Instant,
    ended: [Option<Duration>; 6],
    sent: Sent,
}

/// When the answer was on the wire, which is after everybody has been told what it is.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<OnceLock<Duration>>);

impl Sent {
    /// Now, for a callback whose first byte came at `began`.
    pub fn mark(&self, began: Instant) {
        // An answer is sent once.
        let _ = self.0.set(began.elapsed());
    }
}

impl Steps {
    /// The first byte came at that moment.
    pub fn starting(began: Instant) -> Self {
        Self { began, ended: [None; 6], sent: Sent::default() }
    }

    /// That step ends now.
    pub fn done(&mut self, step: Step) {
        self.done_at(step, Instant::now());
    }

    /// That step ended at that moment.
    pub fn done_at(&mut self, step: Step, at: Instant) {
        if let Some(ended) = self.ended.get_mut(step as usize) {
            *ended = Some(at.saturating_duration_since(self.began));
        }
    }

    /// When the first byte came.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// For whoever sends the answer.
    pub fn sent(&self) -> Sent {
        self.sent.clone()
    }

    /// Those that have ended. Each begins where the one before ended, so that nothing is left out.
    pub fn spans(&self) -> impl Iterator<Item = (Step, Span)> {
        let sent = self.sent.0.get().copied();
        let mut from = Duration::ZERO;
        Step::ALL.into_iter().zip(self.ended.into_iter().chain([sent])).filter_map(
            move |(step, ended)| {
                let to = ended?;
                let span = Span::between(from, to);
                from = to.max(from);
                Some((step, span))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_begins_where_the_one_before_ended() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut steps = Steps::starting(began);
        steps.done_at(Step::Receive, at(1));
        steps.done_at(Step::Verify, at(3));
        // No plugin was called.
        steps.done_at(Step::Check, at(4));
        let span = |at_us, took_us| Span { at_us, took_us };
        let expected = [
            (Step::Receive, span(0, 1000)),
            (Step::Verify, span(1000, 2000)),
            (Step::Check, span(3000, 1000)),
        ];
        assert_eq!(steps.spans().collect::<Vec<_>>(), expected);
        steps.sent().mark(began);
        assert_eq!(steps.spans().last().map(|(step, _)| step), Some(Step::Send));
    }
}
