//! Median and range of a figure that was measured several times.

use serde::Serialize;

/// Median, minimum and maximum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median of the values.
    pub median: f64,
    /// The lowest of the values.
    pub min: f64,
    /// The highest of the values.
    pub max: f64,
    /// Number of values, one for each run.
    pub runs: usize,
}

impl Spread {
    /// Returns `None` if there are no values.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, min, max, runs: values.len() })
    }

    /// Returns true if the values are plausible measurements.
    pub fn is_sound(self) -> bool {
        [self.median, self.min, self.max].iter().all(|value| value.is_finite() && *value > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = Spread::of(vec![3.0, 1.0, 9.0]);
        assert_eq!(spread, Some(Spread { median: 3.0, min: 1.0, max: 9.0, runs: 3 }));
        assert_eq!(Spread::of(vec![1.0, 2.0]).map(|spread| spread.median), Some(1.5));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn what_was_divided_by_nothing_is_not_sound() {
        for value in [0.0, f64::NAN, f64::INFINITY] {
            assert!(!Spread::of(vec![value]).is_some_and(Spread::is_sound));
        }
    }
}
