//! Which loaded plugin made an answer that is kept. Two are one only if they were loaded together: another app's, another
//! name's, another version's and one with another sidecar file are others.

use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::Weak;

use crate::plugin::loaded::Plugin;

/// Keeps nothing of the plugin alive but its address, which no other gets as long as this is there.
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
