//! Checks numbers of the configuration, and reports a wrong setting.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// An error in one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingError {
    /// The setting's key, as in `guests.threads`; that of an app begins with `app cli_…: `.
    pub key: String,
    /// The problem and its remedy. It never repeats a secret.
    pub problem: String,
}

impl SettingError {
    /// Makes an error about the setting `key`.
    pub fn new(key: impl Into<String>, problem: impl Display) -> Self {
        Self { key: key.into(), problem: problem.to_string() }
    }

    /// Names the app that the setting belongs to.
    pub fn of_app(self, app: &str) -> Self {
        Self { key: format!("app {app}: {}", self.key), ..self }
    }
}

/// Checks the settings of the section that has this name in the file.
#[derive(Clone, Copy, Debug)]
pub struct Section(pub &'static str);

impl Section {
    /// Makes an error about a setting of this section.
    pub fn wrong(self, key: &str, problem: impl Display) -> SettingError {
        SettingError::new(format!("{}.{key}", self.0), problem)
    }

    /// Refuses a number that is not in `range`.
    pub fn in_range<T: Copy + Display + PartialOrd>(
        self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) -> Result<(), SettingError> {
        if range.contains(&value) {
            return Ok(());
        }
        let (least, most) = range.into_inner();
        Err(self.wrong(key, format!("{value} is not between {least} and {most}")))
    }

    /// Refuses a number below `least`.
    pub fn at_least<T: Copy + Display + PartialOrd>(
        self,
        key: &str,
        value: T,
        least: T,
    ) -> Result<(), SettingError> {
        if value >= least {
            return Ok(());
        }
        Err(self.wrong(key, format!("{value} is less than {least}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_its_range_is_named_with_its_range() {
        let section = Section("guests");
        assert_eq!(section.in_range("threads", 1, 1..=256), Ok(()));
        assert_eq!(section.in_range("threads", 256, 1..=256), Ok(()));
        for threads in [0, 257] {
            let error = section.in_range("threads", threads, 1..=256).unwrap_err();
            let message = format!("guests.threads: {threads} is not between 1 and 256");
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(section.at_least("bytes", 5, 5), Ok(()));
        let error = section.at_least("bytes", 4, 5).unwrap_err().of_app("cli_a");
        assert_eq!(error.to_string(), "app cli_a: guests.bytes: 4 is less than 5");
    }
}
