//! The live plugins: an immutable snapshot that is replaced as a whole.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::folder::canary::Canary;
use crate::plugin::live::Live;
use crate::plugin::loaded::Plugin;

/// The plugins of one app at one moment. A callback sees one snapshot from start to end.
#[derive(Debug, Default)]
pub struct Snapshot {
    live: Live,
    canaries: Vec<Arc<Canary>>,
}

impl Snapshot {
    /// `canaries` are new versions of some of the live plugins and serve a share of their users.
    pub(super) fn new(live: Live, canaries: Vec<Arc<Canary>>) -> Self {
        Self { live, canaries }
    }

    /// The live plugins, without the canaries.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Returns the canary of that plugin.
    pub fn canary(&self, plugin: &Plugin) -> Option<&Arc<Canary>> {
        self.canaries.iter().find(|canary| canary.plugin().name() == plugin.name())
    }
}

/// The current snapshot of one app.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<ArcSwap<Snapshot>>);

impl Registry {
    /// Returns the current snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
