//! What a new version has to show before it takes the place of the live one.

use std::num::NonZeroU32;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;

/// More would keep a version waiting for minutes, and other plugins behind it.
const MOST_REPLAYED: u32 = 10_000;
/// A new version that needs twice the fuel does something else than the old one.
const FUEL_FACTOR: f64 = 2.0;
/// Half of the users is the most that makes sense: beyond it, the old version is the exception.
const MOST_SHARE: u32 = 50;
/// Calls after which a version has shown what it is.
const CANARY_CALLS: u32 = 200;
/// More than a day's clicks on most cards.
const MOST_CALLS: u32 = 100_000;

/// `promote` of a sidecar file, or `[promote]` for all plugins that say nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PromoteConfig {
    replay: Option<NonZeroU32>,
    fuel_factor: Option<f64>,
    canary: Option<NonZeroU32>,
    canary_calls: Option<NonZeroU32>,
}

impl PromoteConfig {
    /// Checks the numbers.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("promote");
        let numbers = [
            ("replay", self.replay, MOST_REPLAYED),
            ("canary", self.canary, MOST_SHARE),
            ("canary_calls", self.canary_calls, MOST_CALLS),
        ];
        for (key, number, most) in numbers {
            number.map_or(Ok(()), |number| section.in_range(key, number.get(), 1..=most))?;
        }
        let factor =
            self.fuel_factor.map(|factor| section.in_range("fuel_factor", factor, 1.0..=1000.0));
        factor.unwrap_or(Ok(()))
    }

    /// How many callbacks are played to a new version.
    pub fn replay(&self) -> Option<usize> {
        self.replay.map(|count| count.get() as usize)
    }

    /// How many times the fuel of the live version a new one may use.
    pub fn fuel_factor(&self) -> f64 {
        self.fuel_factor.unwrap_or(FUEL_FACTOR)
    }

    /// How many of a hundred users it is given, if it is given some.
    pub fn canary(&self) -> Option<u32> {
        self.canary.map(NonZeroU32::get)
    }

    /// After how many calls it is judged.
    pub fn canary_calls(&self) -> u32 {
        self.canary_calls.map_or(CANARY_CALLS, NonZeroU32::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_range() {
        let parse = |text: &str| toml::from_str::<PromoteConfig>(text).unwrap().validate();
        assert_eq!(parse("replay = 50\ncanary = 10"), Ok(()));
        for wrong in ["replay = 10001", "canary = 51", "fuel_factor = 0.5", "canary_calls = 200000"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
