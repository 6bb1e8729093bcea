//! `wasi:config/store`: the `[settings]` of the plugin's sidecar file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bindings::wasi::config::store;

/// One plugin's settings.
#[derive(Clone, Debug, Default)]
pub struct ConfigCtx(Arc<BTreeMap<String, String>>);

impl ConfigCtx {
    /// The settings as the operator wrote them.
    pub fn new(settings: BTreeMap<String, String>) -> Self {
        Self(Arc::new(settings))
    }

    /// All of them, by name.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl store::Host for ConfigCtx {
    fn get(&mut self, key: String) -> Result<Option<String>, store::Error> {
        Ok(self.0.get(&key).cloned())
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
        Ok(self.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}
