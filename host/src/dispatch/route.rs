//! Picks the plugin for a callback, and the route that leads there: the narrowest route wins. Of two that are equally narrow, the
//! one to a handler made for the callback's type comes before the one to a general handler.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::callback::model::Callback;
use crate::callback::model::Kind;
use crate::folder::canary::Canary;
use crate::folder::registry::Snapshot;
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
    let mut narrowest = |handler: Handler| {
        let has_handler = |plugin: &Plugin| match handler {
            Handler::Typed => plugin.handlers().typed(kind),
            Handler::Json => plugin.handlers().json(),
        };
        live.narrowest(callback, &mut value, |plugin, _| has_handler(plugin))
            .map(|(plugin, route)| Picked { plugin, handler, route })
    };
    match (narrowest(Handler::Typed), narrowest(Handler::Json)) {
        (Some(typed), Some(general)) => {
            // A type without an interface of its own may be a callback that wants an answer. A plugin that names the type in a
            // route gives one; a typed handler would take it only as an event.
            let is_answered = matches!(kind, Kind::Approval(_) | Kind::Other)
                && general.route.event_type.is_some();
            Some(match general.route.specificity().cmp(&typed.route.specificity()) {
                Ordering::Greater => general,
                Ordering::Equal if is_answered => general,
                Ordering::Equal | Ordering::Less => typed,
            })
        }
        (typed, general) => typed.or(general),
    }
}

/// Picks the plugin and, while a new version of it is a canary, the version: the new one for those who are in the canary, if it
/// takes the callback. Also returns the canary, which counts the calls of both versions.
pub(super) fn pick_version<'a>(
    snapshot: &'a Snapshot,
    callback: &Callback,
) -> Option<(Picked<'a>, Option<&'a Arc<Canary>>)> {
    let picked = pick(snapshot.live(), callback)?;
    let canary = snapshot.canary(picked.plugin);
    let is_in = |canary: &&Arc<Canary>| callback.user().is_some_and(|user| canary.has(user));
    let new = canary.filter(is_in).and_then(|canary| pick(canary.live(), callback));
    Some((new.unwrap_or(picked), canary))
}
