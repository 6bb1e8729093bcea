//! The section `[journal]`: the place and size of the journal, and the values that are masked in it.

use std::num::NonZeroU32;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::setting::Section;
use crate::setting::SettingError;

/// Least size of a ring, in bytes. A smaller one would not hold a single callback with a large card and its host calls.
const LEAST_BYTES: u64 = 1 << 20;

/// The section `[journal]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// A folder for the journal alone, which is created if it is missing.
    path: PathBuf,
    /// Limit of all files together, in bytes. The oldest files are removed first.
    #[serde(default = "default_bytes")]
    max_bytes: u64,
    /// Age at which a file is removed, in hours.
    #[serde(default = "default_hours")]
    max_age_hours: NonZeroU32,
    /// Names of JSON members, and JSON pointers into callbacks, whose values are masked.
    #[serde(default)]
    mask: Vec<String>,
}

/// Room for a hundred thousand callbacks of common size.
fn default_bytes() -> u64 {
    256 << 20
}

/// A week: questions on Monday are often about Friday.
fn default_hours() -> NonZeroU32 {
    const WEEK: NonZeroU32 = NonZeroU32::new(7 * 24).unwrap();
    WEEK
}

/// The checked settings of a journal.
#[derive(Clone, Debug)]
pub struct JournalSettings {
    /// The folder that holds the files.
    pub folder: PathBuf,
    pub(super) max_bytes: u64,
    pub(super) max_age: Duration,
    pub(super) mask: Vec<String>,
}

impl JournalConfig {
    /// Checks the section. A relative path is relative to `folder`.
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

    /// Returns the folder of the files, for readers that do not write.
    pub fn folder(&self, folder: &Path) -> PathBuf {
        folder.join(&self.path)
    }
}
