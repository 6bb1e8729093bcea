//! The plugins that are live: an immutable snapshot, exchanged as a whole.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::callback::model::Callback;
use crate::plugin::canary::Canary;
use crate::plugin::loaded::Plugin;
use crate::plugin::route::ActionValue;
use crate::plugin::route::Route;
use crate::plugin::route_index::Place;
use crate::plugin::route_index::RouteIndex;

/// The plugins of one app at one moment. A callback sees one snapshot from start to end.
#[derive(Debug, Default)]
pub struct Snapshot {
    plugins: Vec<Arc<Plugin>>,
    routes: RouteIndex,
    canaries: Vec<Arc<Canary>>,
}

impl Snapshot {
    /// Of these, in the order of their names.
    pub fn new(plugins: Vec<Arc<Plugin>>) -> Self {
        let routes = RouteIndex::new(plugins.iter().map(|plugin| plugin.routes()));
        Self { plugins, routes, canaries: Vec::new() }
    }

    /// The plugin with the narrowest route that takes that callback, among those that `may`.
    pub fn narrowest(
        &self,
        callback: &Callback,
        value: &mut ActionValue,
        may: impl Fn(&Plugin, &Route) -> bool,
    ) -> Option<(&Arc<Plugin>, &Route)> {
        let at = |place: Place| {
            let plugin = &self.plugins[place.plugin];
            (plugin, &plugin.routes()[place.route])
        };
        let takes = |place, value: &mut ActionValue| {
            let (plugin, route) = at(place);
            may(plugin, route) && route.matches(callback, value)
        };
        self.routes.narrowest(callback, value, takes).map(at)
    }

    /// With new versions of some of them, which have a share of the users.
    pub(super) fn with_canaries(mut self, canaries: Vec<Arc<Canary>>) -> Self {
        self.canaries = canaries;
        self
    }

    /// The new version that may take that one's place.
    pub fn canary(&self, plugin: &Plugin) -> Option<&Arc<Canary>> {
        self.canaries.iter().find(|canary| canary.plugin().name() == plugin.name())
    }

    /// In the order of their names.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }
}

/// The current snapshot of one app.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<ArcSwap<Snapshot>>);

impl Registry {
    /// What is live now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
