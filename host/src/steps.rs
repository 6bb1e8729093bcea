//! The time that each step of a callback took: measured where the step is made, carried with the callback, and shown by
//! traces, the journal and the history of recent callbacks. It costs one reading of the clock for each step.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use tokio::time::Instant;

/// The steps of a callback, in order. Not every callback causes a call, and not every call ends in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Receiving the request, from the first byte to the last.
    Receive,
    /// Decrypting, verifying and parsing.
    Verify,
    /// Waiting to be allowed and admitted, and for a guest thread.
    Queue,
    /// Making an instance, or taking a kept one.
    Instantiate,
    /// Running the plugin, including its waits for the host. If the call had not ended when the answer was due, the whole wait is
    /// here.
    Guest,
    /// Checking the reply against the platform's rules.
    Check,
    /// Sending the answer, from the decision until the last byte is with the operating system.
    Send,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 7] = [
        Self::Receive,
        Self::Verify,
        Self::Queue,
        Self::Instantiate,
        Self::Guest,
        Self::Check,
        Self::Send,
    ];

    /// Returns the step's name in the journal.
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

/// The time of one step, or of one call of a host function during the guest step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Span {
    /// Microseconds from the callback's first byte to the beginning.
    pub at_us: u64,
    /// The step's duration in microseconds.
    pub took_us: u64,
}

impl Span {
    /// Makes the span between two moments of a callback. A span that begins at `to` begins where this one ends, to the
    /// microsecond.
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

/// The time at which the answer was on the wire, which is after the callback was recorded.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<OnceLock<Duration>>);

impl Sent {
    /// Marks the answer as sent now. `began` is the time of the callback's first byte.
    pub fn mark(&self, began: Instant) {
        // An answer is sent once, so this never fails.
        let _ = self.0.set(began.elapsed());
    }
}

impl Steps {
    /// Starts with the time of the first byte.
    pub fn starting(began: Instant) -> Self {
        Self { began, ended: [None; 6], sent: Sent::default() }
    }

    /// Ends a step now.
    pub fn done(&mut self, step: Step) {
        self.done_at(step, Instant::now());
    }

    /// Ends a step at the given time.
    pub fn done_at(&mut self, step: Step, at: Instant) {
        if let Some(ended) = self.ended.get_mut(step as usize) {
            *ended = Some(at.saturating_duration_since(self.began));
        }
    }

    /// Returns the time of the first byte.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Returns the mark for the sender of the answer.
    pub fn sent(&self) -> Sent {
        self.sent.clone()
    }

    /// Returns the steps that have ended. Each begins where the one before ended, so that no time is left out.
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
        // The steps of a callback that was answered without a call.
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
