//! The deadline of an answer. It is made once, when a callback's first byte arrives, and passed on by value: nothing recomputes
//! it.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::setting::Section;
use crate::setting::SettingError;

/// The platform waits this long for an answer, network included. Not configurable, by its documentation.
pub const PLATFORM_PATIENCE: Duration = Duration::from_secs(3);

/// The platform waits this long for the answer to a quick approval, by its newer documentation; an older page says 5 s.
const QUICK_APPROVAL_PATIENCE: Duration = Duration::from_secs(10);

/// The point in time at which the host answers, with or without a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    received: Instant,
    soft: Instant,
    hard: Instant,
    given_up: Instant,
}

/// The `[deadline]` section of the configuration.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadlineConfig {
    /// Milliseconds from the first byte to the answer, 100 to 2900. The platform gives up at 3000, network included.
    pub soft_ms: u64,
    /// Milliseconds that a plugin may go on for, up to 600000; what it returns after `soft_ms` updates the card.
    pub late_ms: u64,
    /// As `soft_ms`, for an approver's decision on a task of another system, 100 to 9900. The platform gives up at 10000.
    pub quick_approval_ms: u64,
}

impl Default for DeadlineConfig {
    fn default() -> Self {
        Self { soft_ms: 2500, late_ms: 30_000, quick_approval_ms: 9000 }
    }
}

impl DeadlineConfig {
    /// Checks that all values are in range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("deadline");
        section.in_range("soft_ms", self.soft_ms, 100..=2900)?;
        section.in_range("quick_approval_ms", self.quick_approval_ms, 100..=9900)?;
        if !(self.soft_ms..=600_000).contains(&self.late_ms) {
            let problem = format!("{} is not between soft_ms and 600000", self.late_ms);
            return Err(section.wrong("late_ms", problem));
        }
        Ok(())
    }

    /// Returns the deadline of a callback whose first byte arrived at `received`.
    pub fn starting(&self, received: Instant) -> Deadline {
        self.within(self.soft_ms, PLATFORM_PATIENCE, received)
    }

    /// Returns the deadline of a quick approval whose first byte arrived at `received`.
    pub fn of_quick_approval(&self, received: Instant) -> Deadline {
        self.within(self.quick_approval_ms, QUICK_APPROVAL_PATIENCE, received)
    }

    fn within(&self, soft_ms: u64, patience: Duration, received: Instant) -> Deadline {
        Deadline {
            received,
            soft: received + Duration::from_millis(soft_ms),
            hard: received + Duration::from_millis(self.late_ms.max(soft_ms)),
            given_up: received + patience,
        }
    }
}

impl Deadline {
    /// Returns the deadline of work that nobody waits for: it ends when its time is over.
    pub fn of_work(began: Instant, time: Duration) -> Self {
        let given_up = began + PLATFORM_PATIENCE;
        Self { received: began, soft: began + time, hard: began + time, given_up }
    }

    /// Returns the time at which the first byte arrived.
    pub fn received(&self) -> Instant {
        self.received
    }

    /// Returns the time by which the host answers, with or without a plugin.
    pub fn soft(&self) -> Instant {
        self.soft
    }

    /// Returns the time at which a running plugin is stopped.
    pub fn hard(&self) -> Instant {
        self.hard
    }

    /// Returns the time after which the platform has told the user that no answer came.
    pub fn given_up(&self) -> Instant {
        self.given_up
    }

    /// Returns the time since the first byte arrived.
    pub fn elapsed(&self) -> Duration {
        self.received.elapsed()
    }

    /// Returns the time left until the answer is due; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.soft.saturating_duration_since(Instant::now())
    }

    /// Returns the time left in milliseconds, for a guest.
    pub fn remaining_ms(&self) -> u32 {
        u32::try_from(self.remaining().as_millis()).unwrap_or(u32::MAX)
    }
}
