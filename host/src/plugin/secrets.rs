//! Secrets that a sidecar file names.
//!
//! Whoever may drop files into the plugins folder may not know the host's own secrets. So a plugin's secret comes from a
//! variable that is named for plugins, or from a file inside that folder, and from nowhere else.

use std::path::Component;

use lark_wire::secret::Secret;

use crate::secret::SecretSource;
use crate::secret::SecretSourceError;
use crate::small_file::OpenFolder;

/// How a variable's name begins that plugins may be given.
pub(super) const FOR_PLUGINS: &str = "AVIARY_PLUGIN_";

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginSecretError {
    /// A variable that is not for plugins.
    #[error("only variables whose names begin with {FOR_PLUGINS} are given to plugins")]
    NotForPlugins,
    /// A file that is not for plugins.
    #[error("only files inside the plugins folder are given to plugins")]
    Outside,
    /// It is not there.
    #[error(transparent)]
    Secret(#[from] SecretSourceError),
}

/// Reads the secret. A file is one of `folder`: the folder itself refuses a link that leads out of it.
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
