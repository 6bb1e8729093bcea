//! The live plugins, and the choice of the one that takes a callback.

use std::sync::Arc;

use crate::callback::model::Callback;
use crate::plugin::loaded::Plugin;
use crate::plugin::route::ActionValue;
use crate::plugin::route::Route;
use crate::plugin::route_index::RouteIndex;
use crate::plugin::route_index::RoutePlace;

#[derive(Debug, Default)]
pub struct Live {
    plugins: Vec<Arc<Plugin>>,
    routes: RouteIndex,
}

impl Live {
    /// Indexes the routes of these plugins, which are sorted by name.
    pub fn new(plugins: Vec<Arc<Plugin>>) -> Self {
        let routes = RouteIndex::new(plugins.iter().map(|plugin| plugin.routes()));
        Self { plugins, routes }
    }

    /// Returns all live plugins, sorted by name.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// Returns the plugin with the narrowest route that matches the callback, among those for which `may` is true.
    pub fn narrowest(
        &self,
        callback: &Callback,
        value: &mut ActionValue,
        may: impl Fn(&Plugin, &Route) -> bool,
    ) -> Option<(&Arc<Plugin>, &Route)> {
        let at = |place: RoutePlace| {
            let plugin = &self.plugins[place.plugin];
            (plugin, &plugin.routes()[place.route])
        };
        let takes = |place, value: &mut ActionValue| {
            let (plugin, route) = at(place);
            may(plugin, route) && route.matches(callback, value)
        };
        self.routes.narrowest(callback, value, takes).map(at)
    }
}
