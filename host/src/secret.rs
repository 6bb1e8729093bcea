//! Where secrets come from, an environment variable or a file, and where they turn up by mistake: in a text ([`in_text`]) under
//! a known name ([`names`]).

pub mod in_text;
pub mod names;

use std::path::Path;
use std::path::PathBuf;

use lark_wire::secret::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::small_file;
use crate::small_file::OpenFolder;
use crate::small_file::ReadError;

/// Largest file that a secret is read from. The longest secrets are private keys, of a few kilobytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The place of a secret. A configuration file itself never holds one.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "toml::Value")]
pub enum SecretSource {
    /// `{ env = "NAME" }`
    Env(String),
    /// `{ file = "path" }`
    File(PathBuf),
}

/// The value is neither `{ env = "NAME" }` nor `{ file = "path" }`. The error does not repeat the value, which may be the
/// secret itself.
#[derive(Debug, thiserror::Error)]
#[error(
    "a secret must not be written in this file; give {{ env = \"NAME\" }} or {{ file = \"path\" }}"
)]
pub struct NotASecretSource;

/// The reason why a secret could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretSourceError {
    /// The variable is not set, or not UTF-8.
    #[error("the environment variable {0} is not set, or not UTF-8")]
    Unset(String),
    /// The file is missing, or of a kind that is not read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The secret consists of white space only.
    #[error("{0} is empty")]
    Empty(String),
}

impl TryFrom<toml::Value> for SecretSource {
    type Error = NotASecretSource;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let table = value.as_table().filter(|table| table.len() == 1).ok_or(NotASecretSource)?;
        let text = |key| table.get(key).and_then(toml::Value::as_str);
        match (text("env"), text("file")) {
            (Some(name), None) => Ok(Self::Env(name.to_owned())),
            (None, Some(path)) => Ok(Self::File(path.into())),
            _ => Err(NotASecretSource),
        }
    }
}

impl SecretSource {
    /// Reads the secret. A relative path is relative to `folder`; white space around the secret is removed.
    pub fn read(&self, folder: &Path) -> Result<Secret, SecretSourceError> {
        self.read_by(|path| {
            let path = folder.join(path);
            Ok((path.display().to_string(), small_file::read_text(&path, MAX_BYTES)?))
        })
    }

    /// Reads the secret from a folder that other people fill: a file must be in that folder, and no link leads out of it.
    pub fn read_inside(&self, folder: &OpenFolder) -> Result<Secret, SecretSourceError> {
        self.read_by(|path| {
            let place = folder.path().join(path).display().to_string();
            Ok((place, folder.read_secret(path, MAX_BYTES)?))
        })
    }

    fn read_by(
        &self,
        file: impl FnOnce(&Path) -> Result<(String, String), ReadError>,
    ) -> Result<Secret, SecretSourceError> {
        let (place, text) = match self {
            Self::Env(name) => {
                let text = std::env::var(name);
                let text = text.map_err(|_unset| SecretSourceError::Unset(name.clone()))?;
                (format!("the environment variable {name}"), text)
            }
            Self::File(path) => file(path)?,
        };
        let text = Zeroizing::new(text);
        match text.trim() {
            "" => Err(SecretSourceError::Empty(place)),
            text => Ok(Secret::new(text)),
        }
    }
}
