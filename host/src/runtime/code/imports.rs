//! Explains which imports of a component this host does not offer. Used only after linking has failed.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::capability;
use crate::capability::interface::CONTRACT_VERSION;
use crate::capability::interface::Interface;
use crate::capability::interface::RequiredGrant;
use crate::runtime::call::state::GuestState;
use crate::runtime::code::linked::Linked;

/// The package of the contract.
const CONTRACT: &str = "lark:callback";
/// The interfaces of `wasi:http` that the host offers: plugins send requests, and receive none.
const OF_HTTP: [&str; 2] = ["wasi:http/outgoing-handler", "wasi:http/types"];
/// The packages of WASI 0.2 that the host offers. Those for files and sockets give access to nothing.
const WASI: [&str; 7] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:http",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];
/// The handlers that the host calls.
const HANDLERS: [&str; 5] = [
    "card-action-handler",
    "link-preview-handler",
    "legacy-card-handler",
    "event-handler",
    "callback-handler",
];
/// Imports that are named; a component built for another host may have dozens.
const MAX_NAMED: usize = 8;

/// Returns a sentence for each import that the host does not offer. Empty if all names and versions are right: then a type is
/// wrong.
pub(in crate::runtime) fn missing_imports(component: &Component, engine: &Engine) -> Vec<String> {
    let kind = component.component_type();
    let imports = kind.imports(engine);
    let mut missing: Vec<_> =
        imports.filter_map(|(name, import)| missing(engine, name, &import.ty)).collect();
    if missing.len() > MAX_NAMED {
        let more = missing.len() - MAX_NAMED;
        missing.truncate(MAX_NAMED);
        missing.push(format!("and {more} more"));
    }
    missing
}

fn missing(engine: &Engine, name: &str, item: &ComponentItem) -> Option<String> {
    let (interface, version) = split(name);
    let capabilities = capability::all::<GuestState>();
    let mut interfaces = capabilities.iter().flat_map(|capability| capability.interfaces);
    if let Some(offer) = interfaces.find(|offer| offer.name == interface) {
        if version != Some(offer.version) {
            let wanted = version.unwrap_or("no version");
            let has = offer.version;
            return Some(format!(
                "it imports {interface} in version {wanted}, and this host has {has}: build it with the SDK or the wit/ of this release"
            ));
        }
        return unknown_functions(engine, name, offer, item);
    }
    let package = interface.split('/').next().unwrap_or_default();
    if package == "wasi:http" && !OF_HTTP.contains(&interface) {
        let has = OF_HTTP.join(" and ");
        return Some(format!("it imports {name}, and of wasi:http this host has {has}"));
    }
    if WASI.contains(&package) {
        // Any 0.2.x fits, because later versions only add to it.
        let fits = version.is_none_or(|version| version.starts_with("0.2."));
        return (!fits).then(|| {
            format!("it imports {name}, and this host has WASI 0.2: build it for wasm32-wasip2")
        });
    }
    Some(match (package, item) {
        (CONTRACT, _) => format!(
            "it imports {name}, which the contract {CONTRACT}@{CONTRACT_VERSION} does not have"
        ),
        (_, ComponentItem::ComponentInstance(_)) => {
            format!("it imports the interface {name}, which this host does not have")
        }
        (_, _) => format!("it imports {name}, and this host has interfaces only"),
    })
}

fn unknown_functions(
    engine: &Engine,
    name: &str,
    offer: &Interface,
    item: &ComponentItem,
) -> Option<String> {
    let ComponentItem::ComponentInstance(instance) = item else {
        return Some(format!("it imports {name} as something that is no interface"));
    };
    let unknown: Vec<_> = instance
        .exports(engine)
        .filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_)))
        .map(|(function, _)| function.to_owned())
        .filter(|function| !offer.functions.contains(&function.as_str()))
        .collect();
    (!unknown.is_empty()).then(|| {
        let has = offer.functions.join(", ");
        format!("it uses {} of {name}, where this host has {has}", unknown.join(", "))
    })
}

/// Explains by its exports why a linked component has no handler.
pub(in crate::runtime) fn known_handlers(linked: &Linked) -> String {
    let wanted = HANDLERS.join(", ");
    let exports = linked.exports();
    let near: Vec<_> = exports
        .iter()
        .map(String::as_str)
        .filter(|name| {
            let (interface, _) = split(name);
            let handler = interface.strip_prefix(CONTRACT).and_then(|rest| rest.strip_prefix('/'));
            handler.is_some_and(|handler| HANDLERS.contains(&handler))
        })
        .map(|name| match split(name) {
            (_, Some(CONTRACT_VERSION)) => format!("{name}, whose types are not those of wit/"),
            _ => format!("{name}, and this host calls version {CONTRACT_VERSION}"),
        })
        .collect();
    if near.is_empty() {
        format!(
            "exports no handler of {CONTRACT}@{CONTRACT_VERSION}: one of {wanted} is needed, or wasi:cli/run for a command"
        )
    } else {
        format!("exports no handler that fits: it exports {}", near.join("; "))
    }
}

/// Returns the grants without which a capability refuses every call.
pub fn required_grants() -> impl Iterator<Item = RequiredGrant> {
    capability::all::<GuestState>().into_iter().filter_map(|capability| capability.grant)
}

/// Splits `package:name/interface@version` at the version.
pub fn split(name: &str) -> (&str, Option<&str>) {
    match name.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (name, None),
    }
}
