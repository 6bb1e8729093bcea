//! One hour of figures, in buckets of half a minute. Only buckets with callbacks take memory.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::record::Outcome;
use crate::telemetry::history::histogram::Histogram;

/// Length of a bucket: short enough to see when something began, long enough to draw an hour of them.
const BUCKET: Duration = Duration::from_secs(30);
/// Number of buckets in an hour.
const BUCKETS: usize = 120;
/// Shortest period of a rate. Over less than this it would jump with every callback.
const SHORTEST: Duration = Duration::from_secs(5);

/// A point in time, as the windows of one history count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WindowMoment(Duration);

impl WindowMoment {
    pub(super) fn at(at: Instant, began: Instant) -> Self {
        Self(at.saturating_duration_since(began))
    }

    fn bucket(self) -> u64 {
        self.0.as_secs() / BUCKET.as_secs()
    }

    /// Returns how long its bucket had lasted at that moment.
    fn into_bucket(self) -> Duration {
        self.0 - BUCKET * u32::try_from(self.bucket()).unwrap_or(u32::MAX)
    }
}

/// The counted properties of one callback.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
    pub(super) fuel: Option<u64>,
}

/// The buckets of the last hour, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Window(VecDeque<WindowBucket>);

#[derive(Clone, Debug, Default)]
struct WindowBucket {
    number: u64,
    tally: CallTally,
}

#[derive(Clone, Debug, Default)]
struct CallTally {
    calls: u64,
    failures: u64,
    /// A list, because few of the possible outcomes occur.
    outcomes: Vec<(Outcome, u64)>,
    fuel: u64,
    metered: u64,
    times: Histogram,
}

/// The figures of a window.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The last hour as a whole.
    #[serde(flatten)]
    pub summary: Summary,
    /// The hour in its buckets, the present one last.
    pub buckets: Vec<Point>,
}

/// The last hour as a whole, without its buckets.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Counts and percentiles.
    #[serde(flatten)]
    pub hour: WindowSum,
    /// Callbacks per second over the last 30 to 60 seconds.
    pub per_second: f64,
    /// Every outcome that occurred, with its count.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Average fuel of a call; `None` if no call was metered.
    pub fuel_per_call: Option<u64>,
}

/// Counts and percentiles of a period.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WindowSum {
    /// Number of callbacks.
    pub calls: u64,
    /// Number of callbacks that failed.
    pub failures: u64,
    /// Median time to the answer, in milliseconds; `None` without callbacks.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the time to the answer, in milliseconds; `None` without callbacks.
    pub p99_ms: Option<f64>,
}

/// One bucket, as a point of a chart.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Point {
    /// Callbacks per second.
    pub per_second: f64,
    /// Counts and percentiles of the bucket.
    #[serde(flatten)]
    pub sum: WindowSum,
}

impl CallTally {
    fn add(&mut self, Sample { outcome, took, fuel }: Sample) {
        self.calls += 1;
        self.failures += u64::from(outcome.is_failure());
        match self.outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => self.outcomes.push((outcome, 1)),
        }
        if let Some(fuel) = fuel {
            self.fuel += fuel;
            self.metered += 1;
        }
        self.times.add(took);
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        for (outcome, more) in &other.outcomes {
            match self.outcomes.iter_mut().find(|(known, _)| known == outcome) {
                Some((_, count)) => *count += more,
                None => self.outcomes.push((*outcome, *more)),
            }
        }
        self.fuel += other.fuel;
        self.metered += other.metered;
        self.times.merge(&other.times);
    }

    fn sum(&self) -> WindowSum {
        let ms = |percent| Some(self.times.percentile(percent)?.as_secs_f64() * 1000.0);
        let (calls, failures) = (self.calls, self.failures);
        WindowSum { calls, failures, p50_ms: ms(50), p99_ms: ms(99) }
    }
}

impl Window {
    pub(super) fn add(&mut self, now: WindowMoment, sample: Sample) {
        let number = now.bucket();
        if self.0.back().is_none_or(|newest| newest.number < number) {
            while self.0.front().is_some_and(|oldest| oldest.number + BUCKETS as u64 <= number) {
                self.0.pop_front();
            }
            self.0.push_back(WindowBucket { number, tally: CallTally::default() });
        }
        // Two callbacks that end at the turn of a bucket may be added in either order.
        if let Some(newest) = self.0.back_mut() {
            newest.tally.add(sample);
        }
    }

    pub(super) fn figures(&self, now: WindowMoment) -> Figures {
        let newest = now.bucket();
        let mut hour = CallTally::default();
        let mut buckets = vec![Point::default(); BUCKETS];
        for WindowBucket { number, tally } in &self.0 {
            let age = usize::try_from(newest.saturating_sub(*number)).unwrap_or(usize::MAX);
            let Some(point) = BUCKETS.checked_sub(age + 1).and_then(|at| buckets.get_mut(at))
            else {
                continue;
            };
            hour.merge(tally);
            let per_second = tally.calls as f64 / BUCKET.as_secs_f64();
            *point = Point { per_second, sum: tally.sum() };
        }
        let per_second = self.rate(now);
        if let Some(present) = buckets.last_mut() {
            present.per_second = per_second;
        }
        let outcomes = hour.outcomes.iter().map(|(known, count)| (known.as_str(), *count));
        let summary = Summary {
            hour: hour.sum(),
            per_second,
            outcomes: outcomes.collect(),
            fuel_per_call: hour.fuel.checked_div(hour.metered),
        };
        Figures { summary, buckets }
    }

    /// Returns the rate over the present bucket and the one before it, if there was one.
    fn rate(&self, now: WindowMoment) -> f64 {
        let newest = now.bucket();
        let counted = self.0.iter().rev().take_while(|bucket| bucket.number + 1 >= newest);
        let calls: u64 = counted.map(|bucket| bucket.tally.calls).sum();
        let before = if newest == 0 { Duration::ZERO } else { BUCKET };
        calls as f64 / (before + now.into_bucket()).max(SHORTEST).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> WindowMoment {
        WindowMoment(Duration::from_secs(seconds))
    }

    fn sample() -> Sample {
        Sample { outcome: Outcome::Answered, took: Duration::from_millis(10), fuel: None }
    }

    #[test]
    fn an_hour_is_counted_and_forgotten() {
        let mut window = Window::default();
        window.add(after(10), sample());
        window.add(after(40), sample());
        let figures = window.figures(after(3570));
        assert_eq!((figures.summary.hour.calls, figures.buckets[0].sum.calls), (2, 1));
        assert!(figures.summary.per_second.abs() < f64::EPSILON);
        let p99 = figures.summary.hour.p99_ms.unwrap();
        assert!((8.0..12.5).contains(&p99), "{p99}");
        assert_eq!(window.figures(after(3600)).summary.hour.calls, 1, "an hour is over");
        window.add(after(100_000), sample());
        assert_eq!(window.0.len(), 1, "what is over takes no memory");
    }

    #[test]
    fn the_rate_does_not_jump_where_a_bucket_begins() {
        let mut window = Window::default();
        for second in 1..200 {
            for _ in 0..10 {
                window.add(after(second - 1), sample());
            }
            if second > 5 {
                let rate = window.figures(after(second)).summary.per_second;
                assert!((9.0..=12.0).contains(&rate), "{rate} after {second} s");
            }
        }
    }
}
