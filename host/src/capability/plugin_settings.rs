//! The `[settings]` of one plugin, and the secrets that the log must not show.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::secret::in_text;
use lark_wire::secret::Secret;

/// The settings of one plugin.
#[derive(Clone, Default)]
pub struct PluginSettings(Arc<Values>);

#[derive(Clone, Default)]
struct Values {
    settings: BTreeMap<String, String>,
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for PluginSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Some of the values are secrets.
        formatter.debug_set().entries(self.0.settings.keys()).finish()
    }
}

impl PluginSettings {
    /// Takes the settings as the operator wrote them, and the secrets among their values.
    pub fn new(settings: BTreeMap<String, String>, secrets: Vec<Secret>) -> Self {
        Self(Arc::new(Values { settings, secrets }))
    }

    /// Adds secrets that the log must not show, wherever the plugin has them from.
    #[must_use]
    pub fn hiding(self, more: &[Secret]) -> Self {
        let Values { settings, mut secrets } = Arc::unwrap_or_clone(self.0);
        secrets.extend_from_slice(more);
        Self::new(settings, secrets)
    }

    /// Removes from a plugin's text the secrets that its operator gave it, and credentials from other sources where a name or
    /// their form reveals them.
    pub fn without_secrets<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let hide = |text: Cow<'a, str>, secret: &Secret| match text.contains(secret.expose()) {
            true => Cow::Owned(text.replace(secret.expose(), "…")),
            false => text,
        };
        match self.0.secrets.iter().fold(Cow::Borrowed(text), hide) {
            Cow::Borrowed(text) => in_text::hidden(text),
            Cow::Owned(text) => Cow::Owned(in_text::hidden(&text).into_owned()),
        }
    }

    /// Returns the secrets that the log must not show.
    pub fn secrets(&self) -> &[Secret] {
        &self.0.secrets
    }

    /// Iterates over all settings, by name.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the value of one setting.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.settings.get(key).map(String::as_str)
    }
}
