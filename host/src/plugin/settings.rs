//! The `[settings]` of a sidecar file: text, numbers, booleans, and the sources of secrets.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use crate::capability::plugin_settings::PluginSettings;
use crate::plugin::secrets::FOR_PLUGINS;
use crate::plugin::secrets::PluginSecretError;
use crate::plugin::secrets::plugin_secret;
use crate::secret::SecretSource;
use crate::small_file::OpenFolder;

/// `[settings]` of a sidecar file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, Setting>);

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "Value")]
enum Setting {
    Plain(String),
    Secret(SecretSource),
}

/// A value of another type. The message does not repeat it: it may be a misplaced secret.
#[derive(Debug, thiserror::Error)]
#[error(
    "a setting is text, a number, true or false, {{ env = \"{FOR_PLUGINS}…\" }} or {{ file = \"…\" }}"
)]
struct NotASetting;

/// Why a secret among the settings cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("settings.{key}: {error}")]
pub struct SettingsError {
    key: String,
    error: PluginSecretError,
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
    /// Reads the secrets, files from inside `folder`. Blocks for as long as the file system does.
    pub fn read(&self, folder: &OpenFolder) -> Result<PluginSettings, SettingsError> {
        let mut values = BTreeMap::new();
        let mut secrets = Vec::new();
        for (key, setting) in &self.0 {
            let value = match setting {
                Setting::Plain(text) => text.clone(),
                Setting::Secret(source) => {
                    let secret = plugin_secret(source, folder)
                        .map_err(|error| SettingsError { key: key.clone(), error })?;
                    secrets.push(secret.clone());
                    secret.expose().to_owned()
                }
            };
            values.insert(key.clone(), value);
        }
        Ok(PluginSettings::new(values, secrets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_toml_knows_becomes_text() {
        let all = settings("a = \"x\"\nb = 3\nc = 0.5\nd = true").unwrap();
        let here = OpenFolder::open(".".as_ref()).unwrap();
        let config = all.read(&here).unwrap();
        for (key, value) in [("a", "x"), ("b", "3"), ("c", "0.5"), ("d", "true")] {
            assert_eq!(config.get(key), Some(value));
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
        let opened = OpenFolder::open(folder.path()).unwrap();
        let config = all.read(&opened).unwrap();
        assert_eq!(config.get("key"), Some("s3cret"));
        assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
        for outside in ["../key.txt", "/etc/passwd", "./key.txt", "a/../../key.txt"] {
            let all = settings(&format!("key = {{ file = \"{outside}\" }}")).unwrap();
            let error = all.read(&opened).unwrap_err();
            assert!(matches!(error.error, PluginSecretError::Outside), "{outside}: {error}");
        }
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let all = settings("key = { file = \"link\" }").unwrap();
        let error = all.read(&opened).unwrap_err().to_string();
        assert!(error.contains("leads out of the folder"), "{error}");
        let all = settings("key = { env = \"AVIARY_APP_SECRET\" }").unwrap();
        let error = all.read(&opened).unwrap_err();
        assert!(matches!(error.error, PluginSecretError::NotForPlugins), "{error}");
    }
}
