//! Compares the app's settings in the console, as far as the platform tells them, with this host's configuration.

use std::sync::Arc;

use serde_json::Value;

use crate::callback::model::CARD_ACTION;
use crate::callback::model::LEGACY_CARD;
use crate::callback::model::LINK_PREVIEW;
use crate::config::AppConfig;
use crate::doctor::finding::Finding;
use crate::doctor::plugins::answers;
use crate::plugin::loaded::Plugin;

/// Callbacks that the console offers. The last one is in the SDKs but not in the public list.
const CALLBACKS: [&str; 4] = [CARD_ACTION, LINK_PREVIEW, LEGACY_CARD, "profile.view.get"];
/// `status`: the tenant's administrator has switched it off.
const STOPPED: i64 = 0;
/// `status`: it was never switched on.
const NOT_ENABLED: i64 = 2;

/// Compares the platform's description of the app, `told`, with the configuration. `callback_info` is not in the public
/// documentation, so that its absence means nothing.
pub(super) fn compare(
    about: &str,
    app: &AppConfig,
    plugins: &[Arc<Plugin>],
    told: &Value,
) -> Vec<Finding> {
    let mut findings = published(about, told);
    let callbacks = &told["callback_info"];
    findings.push(door(about, app, callbacks["callback_type"].as_str()));
    if let Some(subscribed) = callbacks["subscribed_callbacks"].as_array() {
        let names: Vec<_> = subscribed.iter().filter_map(Value::as_str).collect();
        findings.extend(subscriptions(about, app, plugins, &names));
    }
    findings
}

fn published(about: &str, told: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    if matches!(told["status"].as_i64(), Some(STOPPED | NOT_ENABLED)) {
        findings.push(Finding::fault(
            about,
            "the app is not enabled in its tenant",
            "nothing of it reaches anybody, and nothing is sent to this host",
            "have an administrator enable it, in the admin console under Workplace, App Management",
        ));
    }
    if told["online_version_id"].as_str().is_some_and(str::is_empty) {
        findings.push(Finding::fault(
            about,
            "no version of the app is published",
            "its users see 200340 for every click",
            "publish a version in the console, under Version Management",
        ));
    }
    if told["unaudit_version_id"].as_str().is_some_and(|id| !id.is_empty()) {
        findings.push(Finding::note(
            about,
            "a version of the app waits to be reviewed",
            "what was changed in the console with it is not in effect yet",
            "have an administrator review it, in the admin console under Workplace, App Review",
        ));
    }
    findings
}

fn door(about: &str, app: &AppConfig, told: Option<&str>) -> Finding {
    match told {
        None => Finding::note(
            about,
            "the platform does not tell what is subscribed",
            "a missing subscription shows only when somebody clicks",
            "look into the console: Events and Callbacks, Callback Configuration",
        ),
        Some("websocket") if app.long_connection.is_none() => Finding::fault(
            about,
            "callbacks go to a long connection, and the configuration has none",
            "its users see 200340 for every click",
            "add long_connection = {} to the app, or choose the webhook in the console",
        ),
        Some("webhook") if app.webhook_path.is_none() => Finding::fault(
            about,
            "callbacks go to a webhook, and the configuration has none",
            "the platform calls an address where this host is not",
            "add webhook = { path = \"/callback\" } to the app, or choose the long connection in the console",
        ),
        Some(door) => Finding::fine(about, format!("callbacks come by {door}")),
    }
}

fn subscriptions(
    about: &str,
    app: &AppConfig,
    plugins: &[Arc<Plugin>],
    names: &[&str],
) -> Vec<Finding> {
    if names.is_empty() {
        return vec![Finding::fault(
            about,
            "no callback is subscribed",
            "clicks and links never reach the host",
            "subscribe to card.action.trigger in the console: Events and Callbacks, Callback Configuration",
        )];
    }
    let mut findings = vec![Finding::fine(about, format!("subscribed: {}", names.join(", ")))];
    if names.contains(&CARD_ACTION) && names.contains(&LEGACY_CARD) {
        findings.push(Finding::warning(
            about,
            "the old and the new card callback are both subscribed",
            "every click comes twice",
            "take card.action.trigger_v1 out in the console",
        ));
    }
    // An app without plugins has a finding of its own already.
    let unanswered = names.iter().filter(|name| {
        !plugins.is_empty() && !plugins.iter().any(|plugin| answers(plugin, &app.id, name))
    });
    findings.extend(unanswered.map(|name| {
        Finding::warning(
            about,
            format!("{name} is subscribed, and no plugin answers it"),
            "its users get the host's own words, that nothing answers this at the moment",
            "put a plugin for it into the folder, or take the subscription out in the console",
        )
    }));
    for plugin in plugins {
        findings.extend(never_called(about, app, plugin, names));
    }
    findings
}

/// Warns of a plugin that answers callbacks which the platform does not send. A plugin that takes any type is not named if it is
/// called for at least one.
fn never_called(about: &str, app: &AppConfig, plugin: &Plugin, names: &[&str]) -> Option<Finding> {
    let answered = CALLBACKS.into_iter().filter(|name| answers(plugin, &app.id, name));
    let (subscribed, missing): (Vec<_>, Vec<_>) = answered.partition(|name| names.contains(name));
    let takes_anything = plugin.handlers().json() && !subscribed.is_empty();
    if missing.is_empty() || takes_anything {
        return None;
    }
    Some(Finding::warning(
        about,
        format!(
            "the plugin {} answers {}, which is not subscribed",
            plugin.name(),
            missing.join(", ")
        ),
        "it is never called for that",
        "subscribe to it in the console: Events and Callbacks, Callback Configuration; then publish a version",
    ))
}
