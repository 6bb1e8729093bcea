//! Secrets that a sidecar file names.
//!
//! People who may write into the plugins folder are not entitled to the host's own secrets. So a plugin's secret comes from a
//! variable that is named for plugins, or from a file inside that folder, and from nowhere else.

use std::path::Component;

use lark_wire::secret::Secret;

use crate::secret::SecretSource;
use crate::secret::SecretSourceError;
use crate::small_file::OpenFolder;

/// The prefix of the variables that plugins may be given.
pub(super) const FOR_PLUGINS: &str = "AVIARY_PLUGIN_";

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginSecretError {
    /// The variable lacks the prefix.
    #[error("only variables whose names begin with {FOR_PLUGINS} are given to plugins")]
    NotForPlugins,
    /// The file is outside the plugins folder.
    #[error("only files inside the plugins folder are given to plugins")]
    Outside,
    /// The variable or file cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretSourceError),
}

/// Reads a secret. Files are read inside `folder`, which refuses links that lead out of it.
pub fn plugin_secret(
    source: &SecretSource,
    folder: &OpenFolder,
) -> Result<Secret, PluginSecretError> {
    match source {
        SecretSource::Env(name) if !name.starts_with(FOR_PLUGINS) => {
            Err(PluginSecretError::NotForPlugins)
        }
        SecretSource::File(path)
            if !path.components().all(|part| matches!(part, Component::Normal(_))) =>
        {
            Err(PluginSecretError::Outside)
        }
        SecretSource::File(_) | SecretSource::Env(_) => Ok(source.read_inside(folder)?),
    }
}
