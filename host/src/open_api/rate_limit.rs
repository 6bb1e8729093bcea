//! A rate limit that gives turns in the order in which they are asked for.

use std::collections::VecDeque;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::time::Instant;

/// A rate that the platform allows.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests in one second. They are spread over it, because nobody knows when the platform's second begins.
    pub in_a_second: u32,
    /// Requests in any period of one minute.
    pub in_a_minute: usize,
}

/// Delays or refuses requests that would exceed a rate.
#[derive(Debug)]
pub struct RateLimit {
    rate: Rate,
    given: Mutex<Given>,
}

/// The turns of the last minute and the turns already reserved in the future, oldest first.
#[derive(Debug, Default)]
struct Given(VecDeque<Instant>);

impl RateLimit {
    /// Starts with no turns taken.
    pub fn new(rate: Rate) -> Self {
        Self { rate, given: Mutex::default() }
    }

    /// Resolves when it is this request's turn. Cancel safe; a turn that its caller no longer waits for stays reserved.
    pub async fn turn(&self) {
        let now = Instant::now();
        let turn = self.reserve(now);
        // `sleep_until` takes a millisecond even for the present moment.
        if turn > now {
            tokio::time::sleep_until(turn).await;
        }
    }

    /// Resolves to `true` when it is this request's turn, and at once to `false` if that is later than `until`; in that case no
    /// turn is reserved.
    pub async fn turn_by(&self, until: Instant) -> bool {
        let now = Instant::now();
        let Some(turn) = self.reserve_by(now, until) else { return false };
        if turn > now {
            tokio::time::sleep_until(turn).await;
        }
        true
    }

    fn reserve(&self, now: Instant) -> Instant {
        self.given.lock().reserve(self.rate, now)
    }

    fn reserve_by(&self, now: Instant, until: Instant) -> Option<Instant> {
        let mut given = self.given.lock();
        let in_time = given.next(self.rate, now) <= until;
        in_time.then(|| given.reserve(self.rate, now))
    }
}

impl Given {
    fn next(&self, rate: Rate, now: Instant) -> Instant {
        let spacing = Duration::from_secs(1) / rate.in_a_second;
        let after_the_last = self.0.back().map_or(now, |last| now.max(*last + spacing));
        match self.0.front() {
            Some(first) if self.0.len() == rate.in_a_minute => {
                after_the_last.max(*first + Duration::from_secs(60))
            }
            _ => after_the_last,
        }
    }

    fn reserve(&mut self, rate: Rate, now: Instant) -> Instant {
        let turn = self.next(rate, now);
        if self.0.len() == rate.in_a_minute {
            self.0.pop_front();
        }
        self.0.push_back(turn);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_second_has_more_and_no_minute() {
        let limit = RateLimit::new(Rate { in_a_second: 50, in_a_minute: 1000 });
        let now = Instant::now();
        let turns: Vec<_> = (0..2500).map(|_| limit.reserve(now)).collect();
        assert_eq!(turns[0], now);
        for (window, most) in [(Duration::from_secs(1), 50), (Duration::from_secs(60), 1000)] {
            for (index, turn) in turns.iter().enumerate().skip(most) {
                assert!(*turn - turns[index - most] >= window, "turn {index}");
            }
        }
        assert_eq!(turns[49] - now, Duration::from_millis(980));
        assert_eq!(turns[2000] - now, Duration::from_secs(120));
    }

    #[tokio::test]
    async fn who_is_too_late_takes_nobody_s_place() {
        let limit = RateLimit::new(Rate { in_a_second: 2, in_a_minute: 4 });
        let now = Instant::now();
        let second = now + Duration::from_secs(1);
        let turns: Vec<_> = (0..9).filter_map(|_| limit.reserve_by(now, second)).collect();
        assert_eq!(turns, [now, now + Duration::from_millis(500), second]);
        assert_eq!(limit.reserve(now), now + Duration::from_millis(1500));
        assert_eq!(limit.reserve_by(now, now + Duration::from_secs(59)), None);
        assert!(!limit.turn_by(second).await);
    }

    #[tokio::test]
    async fn a_pause_is_not_saved_up() {
        let limit = RateLimit::new(Rate { in_a_second: 5, in_a_minute: 300 });
        let now = Instant::now();
        limit.reserve(now);
        let later = now + Duration::from_secs(10);
        assert_eq!(limit.reserve(later), later);
        assert_eq!(limit.reserve(later), later + Duration::from_millis(200));
    }
}
