//! The checks on a new version before it replaces the live one.

use std::num::NonZeroU32;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;

/// Limit of `replay`. More would delay a version, and other plugins behind it, by minutes.
const MOST_REPLAYED: u32 = 10_000;
/// A new version that needs more than twice the fuel probably does something else than the old one.
const FUEL_FACTOR: f64 = 2.0;
/// Limit of `canary`, in percent. With more than half of the users, the old version would be the exception.
const MOST_SHARE: u32 = 50;
/// Calls after which a canary is judged, unless the operator sets another number.
const CANARY_CALLS: u32 = 200;
/// Limit of `canary_calls`: more than a day's clicks on most cards.
const MOST_CALLS: u32 = 100_000;

/// `promote` of a sidecar file, or `[promote]` for all plugins without one.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct PromoteConfig {
    replay: Option<NonZeroU32>,
    fuel_factor: Option<f64>,
    canary: Option<NonZeroU32>,
    canary_calls: Option<NonZeroU32>,
}

impl PromoteConfig {
    /// Checks that the numbers are in range.
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

    /// Returns how many callbacks of the journal are replayed with a new version; `None` for none.
    pub fn replay(&self) -> Option<usize> {
        self.replay.map(|count| count.get() as usize)
    }

    /// Returns the factor by which a new version may use more fuel than the recorded call.
    pub fn fuel_factor(&self) -> f64 {
        self.fuel_factor.unwrap_or(FUEL_FACTOR)
    }

    /// Returns the percentage of users that a new version serves as a canary; `None` if it goes live at once.
    pub fn canary(&self) -> Option<u32> {
        self.canary.map(NonZeroU32::get)
    }

    /// Returns the number of calls after which a canary is judged.
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
