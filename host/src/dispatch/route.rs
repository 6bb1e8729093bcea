//! Picks the plugin for a callback, and the route that leads there: the narrowest route wins, and a handler made for the
//! callback's type comes before a general one.

use std::sync::Arc;

use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::folder::canary::Canary;
use crate::plugin::live::Live;
use crate::plugin::loaded::Plugin;
use crate::plugin::route::ActionValue;
use crate::plugin::route::Route;
use crate::runtime::call::report::Handler;

/// The plugin that answers a callback.
#[derive(Clone, Copy)]
pub(super) struct Picked<'a> {
    pub(super) plugin: &'a Arc<Plugin>,
    pub(super) handler: Handler,
    pub(super) route: &'a Route,
}

/// Picks the plugin for that callback, the export that takes it, and its route.
pub(super) fn pick<'a>(live: &'a Live, callback: &Callback) -> Option<Picked<'a>> {
    let mut value = ActionValue::default();
    let kind = callback.kind();
    let mut narrowest = |handler: Handler, may: &dyn Fn(&Route) -> bool| {
        let has_handler = |plugin: &Plugin| match handler {
            Handler::Typed => plugin.handlers().typed(kind),
            Handler::Json => plugin.handlers().json(),
        };
        live.narrowest(callback, &mut value, |plugin, route| has_handler(plugin) && may(route))
            .map(|(plugin, route)| Picked { plugin, handler, route })
    };
    // A type without an interface of its own may be a callback that wants an answer. A plugin that names the type in a route
    // gives one; other plugins would take it only as an event.
    let named = if matches!(kind, Kind::Approval(_) | Kind::Other) {
        narrowest(Handler::Json, &|route| route.event_type.is_some())
    } else {
        None
    };
    named
        .or_else(|| narrowest(Handler::Typed, &|_| true))
        .or_else(|| narrowest(Handler::Json, &|_| true))
}

/// Picks the new version of a plugin, if the user is in its canary and the version takes that callback.
pub(super) fn pick_canary<'a>(
    canary: Option<&'a Arc<Canary>>,
    callback: &Callback,
) -> Option<Picked<'a>> {
    let canary = canary.filter(|canary| callback.user().is_some_and(|user| canary.has(user)))?;
    pick(canary.live(), callback)
}
