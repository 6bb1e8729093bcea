//! Identifies the loaded plugin that made a cached answer. Two are equal only if they are the same load: another app, name,
//! version or sidecar makes another plugin.

use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::Weak;

use crate::plugin::loaded::Plugin;

/// A weak reference keeps only the plugin's allocation, whose address no other plugin gets while this exists.
#[derive(Clone, Debug)]
pub(super) struct MadeBy(Weak<Plugin>);

impl MadeBy {
    pub(super) fn plugin(plugin: &Arc<Plugin>) -> Self {
        Self(Arc::downgrade(plugin))
    }

    #[cfg(test)]
    pub(super) fn nobody() -> Self {
        Self(Weak::new())
    }
}

impl PartialEq for MadeBy {
    fn eq(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for MadeBy {}

impl Hash for MadeBy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ptr().hash(state);
    }
}
