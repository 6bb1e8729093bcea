//! `[journal]`: whether there is one, where, how large, and what of it is masked.

use std::num::NonZeroU32;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;

/// Less would not hold a single callback with a large card and its host calls.
const LEAST_BYTES: u64 = 1 << 20;

/// `[journal]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// A folder of its own, which is made where it is missing.
    path: PathBuf,
    /// Of all its files together. What is oldest goes first.
    #[serde(default = "default_bytes")]
    max_bytes: u64,
    /// What is older goes.
    #[serde(default = "default_hours")]
    max_age_hours: NonZeroU32,
    /// Names of JSON members, and JSON pointers into callbacks, whose values are masked.
    #[serde(default)]
    mask: Vec<String>,
}

/// A hundred thousand callbacks of common size.
fn default_bytes() -> u64 {
    256 << 20
}

/// A week: what is asked about on Monday happened on Friday.
fn default_hours() -> NonZeroU32 {
    const WEEK: NonZeroU32 = NonZeroU32::new(7 * 24).unwrap();
    WEEK
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct JournalSettings {
    /// Where the files are.
    pub folder: PathBuf,
    pub(super) max_bytes: u64,
    pub(super) max_age: Duration,
    pub(super) mask: Vec<String>,
}

impl JournalConfig {
    /// Checks it; a path is relative to `folder`.
    pub fn check(self, folder: &Path) -> Result<JournalSettings, SettingError> {
        let section = Section("journal");
        section.at_least("max_bytes", self.max_bytes, LEAST_BYTES)?;
        if self.mask.iter().any(String::is_empty) {
            return Err(section.wrong("mask", "an empty text names nothing"));
        }
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Ok(JournalSettings {
            folder: self.folder(folder),
            max_bytes: self.max_bytes,
            max_age: HOUR * self.max_age_hours.get(),
            mask: self.mask,
        })
    }

    /// Where its files are, for those who only read.
    pub fn folder(&self, folder: &Path) -> PathBuf {
        folder.join(&self.path)
    }
}
