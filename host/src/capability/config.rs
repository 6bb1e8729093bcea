//! `wasi:config/store`: the `[settings]` of the plugin's sidecar file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use lark_wire::secret::Secret;

use crate::bindings::wasi::config::store;
use crate::secret::in_text;

/// One plugin's settings.
#[derive(Clone, Default)]
pub struct ConfigCtx(Arc<Given>);

#[derive(Clone, Default)]
struct Given {
    settings: BTreeMap<String, String>,
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for ConfigCtx {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Some of the values are secrets.
        formatter.debug_set().entries(self.0.settings.keys()).finish()
    }
}

impl ConfigCtx {
    /// The settings as the operator wrote them, and which of their values are not to be seen.
    pub fn new(settings: BTreeMap<String, String>, secrets: Vec<Secret>) -> Self {
        Self(Arc::new(Given { settings, secrets }))
    }

    /// With more that is not to be seen, whatever the plugin came by it.
    #[must_use]
    pub fn hiding(self, more: &[Secret]) -> Self {
        let Given { settings, mut secrets } = Arc::unwrap_or_clone(self.0);
        secrets.extend_from_slice(more);
        Self::new(settings, secrets)
    }

    /// What a plugin says, without the secrets that its operator has given to it, and without the credentials that it came by
    /// in another way, where they stand under a name or in a form that says so.
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

    /// Those of its values that nobody else shall see.
    pub fn secrets(&self) -> &[Secret] {
        &self.0.secrets
    }

    /// All of them, by name.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl store::Host for ConfigCtx {
    fn get(&mut self, key: String) -> Result<Option<String>, store::Error> {
        Ok(self.0.settings.get(&key).cloned())
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
        let settings = self.0.settings.iter();
        Ok(settings.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}
