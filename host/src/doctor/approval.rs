//! Compares the addresses for the approval center with the plugins. The platform does not tell where it calls: the addresses stand
//! in the approval admin console, and not in the developer console.

use std::sync::Arc;

use crate::callback::approval::ApprovalKind;
use crate::config::AppConfig;
use crate::doctor::finding::Finding;
use crate::doctor::plugins::answers;
use crate::plugin::loaded::Plugin;

/// Names callbacks that nobody answers, and plugins that nobody calls.
pub(super) fn compare(app: &AppConfig, plugins: &[Arc<Plugin>]) -> Vec<Finding> {
    let about = format!("app {}", app.id);
    let mut findings = Vec::new();
    for kind in ApprovalKind::ALL {
        let name = kind.event_type();
        let address = app.approval.iter().find(|address| address.kind == kind);
        let plugin = plugins.iter().find(|plugin| answers(plugin, &app.id, name));
        match (address, plugin) {
            (None, None) => {}
            (Some(address), Some(_)) => {
                findings.push(Finding::fine(&about, format!("{name} comes to {}", address.path)));
            }
            // An app without plugins has a finding of its own already.
            (Some(_), None) if plugins.is_empty() => {}
            (Some(address), None) => findings.push(Finding::warning(
                &about,
                format!("{} is there for {name}, and no plugin answers it", address.path),
                "whoever fills in the form or decides gets the host's own words",
                "put a plugin into the folder whose [[route]] has this event_type",
            )),
            (None, Some(plugin)) => {
                // A plugin that takes any type is not made for this one.
                let named =
                    plugin.routes().iter().any(|route| route.event_type.as_deref() == Some(name));
                findings.extend(named.then(|| {
                    Finding::warning(
                        &about,
                        format!("the plugin {} answers {name}, and no address is there for it", plugin.name()),
                        "it is never called for that",
                        "add the address to webhook.approval of the app, and to the form\'s control or the approval definition",
                    )
                }));
            }
        }
    }
    findings
}
