//! Secrets that a sidecar file names.
//!
//! Whoever may drop files into the plugins folder may not know the host's own secrets. So a plugin's secret comes from a
//! variable that is named for plugins, or from a file inside that folder, and from nowhere else.

use std::path::Component;
use std::path::Path;

use crate::secret::Secret;
use crate::secret::SecretSource;
use crate::secret::SecretSourceError;

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

/// Reads it. Files are inside `folder`.
pub(super) fn plugin_secret(
    source: &SecretSource,
    folder: &Path,
) -> Result<Secret, PluginSecretError> {
    match source {
        SecretSource::Env(name) if !name.starts_with(FOR_PLUGINS) => {
            return Err(PluginSecretError::NotForPlugins);
        }
        SecretSource::File(path)
            if !path.components().all(|part| matches!(part, Component::Normal(_))) =>
        {
            return Err(PluginSecretError::Outside);
        }
        // A link may lead elsewhere. What is not there is said by whoever reads it.
        SecretSource::File(path) => {
            if let (Ok(inside), Ok(real)) =
                (folder.canonicalize(), folder.join(path).canonicalize())
                && !real.starts_with(inside)
            {
                return Err(PluginSecretError::Outside);
            }
        }
        SecretSource::Env(_) => {}
    }
    Ok(source.read(folder)?)
}
