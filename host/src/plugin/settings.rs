//! The `[settings]` of a sidecar file: text, numbers, yes and no; and secrets, by the place where they are.
//!
//! Whoever may drop files into the plugins folder may not know the host's own secrets. So a setting's secret comes from a
//! variable that is named for plugins, or from a file inside that folder, and from nowhere else.

use std::collections::BTreeMap;
use std::path::Component;
use std::path::Path;

use serde::Deserialize;
use toml::Value;

use crate::capability::config::ConfigCtx;
use crate::secret::Secret;
use crate::secret::SecretSource;
use crate::secret::SecretSourceError;

/// How a variable's name begins that plugins may be given.
const FOR_PLUGINS: &str = "AVIARY_PLUGIN_";

/// `[settings]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, Setting>);

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "Value")]
enum Setting {
    Plain(String),
    Secret(SecretSource),
}

/// A value that has no text. It is not repeated: it may be a secret in the wrong place.
#[derive(Debug, thiserror::Error)]
#[error(
    "a setting is text, a number, true or false, {{ env = \"{FOR_PLUGINS}…\" }} or {{ file = \"…\" }}"
)]
struct NotASetting;

/// Why a setting cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A variable that is not for plugins.
    #[error(
        "settings.{0}: only variables whose names begin with {FOR_PLUGINS} are given to plugins"
    )]
    NotForPlugins(String),
    /// A file that is not for plugins.
    #[error("settings.{0}: only files inside the plugins folder are given to plugins")]
    Outside(String),
    /// It is not there.
    #[error("settings.{key}: {error}")]
    Secret {
        /// Which setting.
        key: String,
        /// Why.
        error: SecretSourceError,
    },
}

impl TryFrom<Value> for Setting {
    type Error = NotASetting;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::String(text) => Ok(Self::Plain(text)),
            Value::Integer(number) => Ok(Self::Plain(number.to_string())),
            Value::Float(number) => Ok(Self::Plain(number.to_string())),
            Value::Boolean(yes) => Ok(Self::Plain(yes.to_string())),
            table @ Value::Table(_) => {
                table.try_into().map(Self::Secret).map_err(|_not_a_source| NotASetting)
            }
            Value::Datetime(_) | Value::Array(_) => Err(NotASetting),
        }
    }
}

impl Settings {
    /// Reads the secrets. Files are inside `folder`.
    pub fn read(&self, folder: &Path) -> Result<ConfigCtx, SettingsError> {
        let mut values = BTreeMap::new();
        let mut secrets = Vec::new();
        for (key, setting) in &self.0 {
            let value = match setting {
                Setting::Plain(text) => text.clone(),
                Setting::Secret(source) => {
                    let secret = secret(key, source, folder)?;
                    secrets.push(secret.clone());
                    secret.expose().to_owned()
                }
            };
            values.insert(key.clone(), value);
        }
        Ok(ConfigCtx::new(values, secrets))
    }
}

fn secret(key: &str, source: &SecretSource, folder: &Path) -> Result<Secret, SettingsError> {
    match source {
        SecretSource::Env(name) if !name.starts_with(FOR_PLUGINS) => {
            return Err(SettingsError::NotForPlugins(key.to_owned()));
        }
        SecretSource::File(path)
            if !path.components().all(|part| matches!(part, Component::Normal(_))) =>
        {
            return Err(SettingsError::Outside(key.to_owned()));
        }
        // A link may lead elsewhere. What is not there is said by whoever reads it.
        SecretSource::File(path) => {
            if let (Ok(inside), Ok(real)) =
                (folder.canonicalize(), folder.join(path).canonicalize())
                && !real.starts_with(inside)
            {
                return Err(SettingsError::Outside(key.to_owned()));
            }
        }
        SecretSource::Env(_) => {}
    }
    source.read(folder).map_err(|error| SettingsError::Secret { key: key.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::wasi::config::store::Host as _;

    fn settings(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_toml_knows_becomes_text() {
        let all = settings("a = \"x\"\nb = 3\nc = 0.5\nd = true").unwrap();
        let mut config = all.read(Path::new(".")).unwrap();
        for (key, value) in [("a", "x"), ("b", "3"), ("c", "0.5"), ("d", "true")] {
            assert_eq!(config.get(key.to_owned()).unwrap().as_deref(), Some(value));
        }
        for wrong in ["a = [1]", "a = 2026-01-01", "a = { b = 1 }", "a = { env = 1 }"] {
            let error = settings(wrong).unwrap_err().to_string();
            assert!(error.contains("a setting is text"), "{wrong}: {error}");
        }
    }

    #[test]
    fn secrets_come_from_where_plugins_secrets_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.txt"), "s3cret\n").unwrap();
        let all = settings("key = { file = \"key.txt\" }").unwrap();
        let mut config = all.read(folder.path()).unwrap();
        assert_eq!(config.get("key".to_owned()).unwrap().as_deref(), Some("s3cret"));
        assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
        for outside in ["../key.txt", "/etc/passwd", "./key.txt", "a/../../key.txt"] {
            let all = settings(&format!("key = {{ file = \"{outside}\" }}")).unwrap();
            let error = all.read(folder.path()).unwrap_err();
            assert!(matches!(error, SettingsError::Outside(_)), "{outside}: {error}");
        }
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let all = settings("key = { file = \"link\" }").unwrap();
        assert!(matches!(all.read(folder.path()).unwrap_err(), SettingsError::Outside(_)));
        let all = settings("key = { env = \"AVIARY_APP_SECRET\" }").unwrap();
        let error = all.read(folder.path()).unwrap_err();
        assert!(matches!(error, SettingsError::NotForPlugins(_)), "{error}");
    }
}
