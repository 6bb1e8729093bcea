//! Which plugin answers, and by which of its routes: the narrowest wins, and a handler made for the callback's type before a general one.

use std::sync::Arc;

use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::plugin::canary::Canary;
use crate::plugin::instance::Handler;
use crate::plugin::registry::Plugin;
use crate::plugin::registry::Snapshot;
use crate::plugin::route::ActionValue;
use crate::plugin::route::Route;

/// Who answers a callback.
#[derive(Clone, Copy)]
pub(super) struct Picked<'a> {
    pub(super) plugin: &'a Arc<Plugin>,
    pub(super) handler: Handler,
    pub(super) route: &'a Route,
}

/// The plugin for that callback, which of its exports takes it, and by which route.
pub(super) fn pick<'a>(snapshot: &'a Snapshot, callback: &Callback) -> Option<Picked<'a>> {
    pick_among(snapshot.plugins(), callback)
}

/// The new version of a plugin in its place, for those whom it has, if it takes that callback.
pub(super) fn pick_canary<'a>(
    canary: Option<&'a Arc<Canary>>,
    callback: &Callback,
) -> Option<Picked<'a>> {
    let canary = canary.filter(|canary| callback.user().is_some_and(|user| canary.has(user)))?;
    pick_among(std::slice::from_ref(canary.plugin()), callback)
}

fn pick_among<'a>(plugins: &'a [Arc<Plugin>], callback: &Callback) -> Option<Picked<'a>> {
    let mut value = ActionValue::default();
    let kind = callback.kind();
    let mut narrowest = |handler: Handler, takes: &dyn Fn(&Route) -> bool| {
        plugins
            .iter()
            .filter(|plugin| match handler {
                Handler::Typed => plugin.handlers().typed(kind),
                Handler::Json => plugin.handlers().json(),
            })
            .filter_map(|plugin| {
                let matching = plugin
                    .routes()
                    .iter()
                    .filter(|route| takes(route) && route.matches(callback, &mut value));
                Some((plugin, matching.max_by_key(|route| route.specificity())?))
            })
            // The first of equals, in the order of names: loading has refused equal routes already.
            .reduce(
                |best, next| {
                    if next.1.specificity() > best.1.specificity() { next } else { best }
                },
            )
            .map(|(plugin, route)| Picked { plugin, handler, route })
    };
    // A type that the contract does not know may be a callback which wants an answer. A plugin that names it in a route
    // says that it gives one; others would only take it as an event.
    let named = if kind == Kind::Other {
        narrowest(Handler::Json, &|route| route.event_type.is_some())
    } else {
        None
    };
    named
        .or_else(|| narrowest(Handler::Typed, &|_| true))
        .or_else(|| narrowest(Handler::Json, &|_| true))
}
