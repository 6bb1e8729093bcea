//! So many requests and no more: turns are given in the order they are asked for.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// A limit of the platform's.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests in one second, which are spread over it: nobody knows when the platform's second begins.
    pub in_a_second: u32,
    /// Requests in any minute.
    pub in_a_minute: usize,
}

/// Keeps to it.
#[derive(Debug)]
pub struct RateLimit {
    rate: Rate,
    given: Mutex<Given>,
}

/// The turns of the last minute, and those that lie ahead.
#[derive(Debug, Default)]
struct Given(VecDeque<Instant>);

impl RateLimit {
    /// Nothing was sent before.
    pub fn new(rate: Rate) -> Self {
        Self { rate, given: Mutex::default() }
    }

    /// Resolves when it is this request's turn. Cancel safe; a turn that is not waited for is lost to nobody but time.
    pub async fn turn(&self) {
        let now = Instant::now();
        let turn = self.reserve(now);
        // Sleeping until now still takes a millisecond.
        if turn > now {
            tokio::time::sleep_until(turn).await;
        }
    }

    fn reserve(&self, now: Instant) -> Instant {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let spacing = Duration::from_secs(1) / self.rate.in_a_second;
        let mut turn = given.0.back().map_or(now, |last| now.max(*last + spacing));
        if given.0.len() == self.rate.in_a_minute
            && let Some(first) = given.0.pop_front()
        {
            turn = turn.max(first + Duration::from_secs(60));
        }
        given.0.push_back(turn);
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
    async fn a_pause_is_not_saved_up() {
        let limit = RateLimit::new(Rate { in_a_second: 5, in_a_minute: 300 });
        let now = Instant::now();
        limit.reserve(now);
        let later = now + Duration::from_secs(10);
        assert_eq!(limit.reserve(later), later);
        assert_eq!(limit.reserve(later), later + Duration::from_millis(200));
    }
}
