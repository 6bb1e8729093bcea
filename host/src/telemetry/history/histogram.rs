//! A histogram of durations in steps of about a fifth: enough for a percentile that people read, in 280 bytes.

use std::time::Duration;

/// Durations below two to the power of this, in microseconds, share one step. No callback is answered that fast.
const FIRST_OCTAVE: u32 = 5;
/// Durations from two to the power of this, in microseconds, share the last step. That is four seconds, when the platform has
/// given up.
const LAST_OCTAVE: u32 = 22;
/// Steps of each doubling.
const STEPS: u32 = 4;
const COUNTS: usize = (2 + (LAST_OCTAVE - FIRST_OCTAVE) * STEPS) as usize;

/// Counts of durations, one for each step.
#[derive(Clone, Debug)]
pub(super) struct Histogram([u32; COUNTS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; COUNTS])
    }
}

impl Histogram {
    pub(super) fn add(&mut self, took: Duration) {
        if let Some(count) = self.0.get_mut(index(took)) {
            *count += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// Returns the duration within which so many percent stayed, to within a step; `None` if there are no durations.
    pub(super) fn percentile(&self, percent: u32) -> Option<Duration> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let wanted = (all * u64::from(percent)).div_ceil(100);
        let mut seen = 0;
        for (index, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = u64::from(*count);
            if seen + count >= wanted {
                let (from, to) = (bound(index), bound(index + 1));
                let part = (wanted - seen) as f64 / count as f64;
                return Some(from + (to - from).mul_f64(part));
            }
            seen += count;
        }
        None
    }
}

fn index(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let octave = micros.checked_ilog2().unwrap_or(0);
    if octave < FIRST_OCTAVE {
        return 0;
    }
    let step = (micros >> (octave - STEPS.ilog2())) as u32 % STEPS;
    let index = 1 + (octave - FIRST_OCTAVE) * STEPS + step;
    COUNTS.min(index as usize + 1) - 1
}

/// Returns the lower bound of the step with that index.
fn bound(index: usize) -> Duration {
    let Some(above) = (index as u32).checked_sub(1) else { return Duration::ZERO };
    let (octave, step) = (FIRST_OCTAVE + above / STEPS, above % STEPS);
    Duration::from_micros(u64::from(STEPS + step) << (octave - STEPS.ilog2()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_its_step() {
        for micros in (0..100_000).chain((100_000..4_000_000).step_by(977)) {
            let took = Duration::from_micros(micros);
            let index = index(took);
            assert!(bound(index) <= took && took < bound(index + 1), "{took:?} is in {index}");
        }
        assert_eq!(index(Duration::MAX), COUNTS - 1);
    }

    #[test]
    fn percentiles_are_within_a_step() {
        let mut times = Histogram::default();
        assert_eq!(times.percentile(50), None);
        for ms in 1..=1000 {
            times.add(Duration::from_millis(ms));
        }
        for percent in [50, 99] {
            let found = times.percentile(percent).unwrap().as_secs_f64() * 100.0;
            let exact = f64::from(percent) / 10.0 * 10.0;
            assert!((found / exact - 1.0).abs() < 0.2, "{percent}: {found} and not {exact}");
        }
    }
}
