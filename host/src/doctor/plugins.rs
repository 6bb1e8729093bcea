//! The plugins in the apps' folders, loaded as a host loads them and called by nobody: which ones it takes, what each lacks,
//! and which callbacks it answers.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::callback::model::Kind;
use crate::config::AppConfig;
use crate::config::Config;
use crate::doctor::finding::Finding;
use crate::folder::alone::load_alone;
use crate::open_api::notebook::Notebook;
use crate::open_api::transport::OpenApi;
use crate::plugin::loaded::Plugin;
use crate::runtime::engine::GuestEngine;

/// Plugins of all apps, and the findings from loading them.
#[derive(Default)]
pub(super) struct Shelf {
    apps: Vec<(String, Vec<Arc<Plugin>>)>,
    findings: Vec<Finding>,
}

impl Shelf {
    /// Loads the plugins of all apps. Compiled code is read from the cache and kept there, as by a host.
    pub(super) async fn load(config: &Config) -> Self {
        let mut shelf = Self::default();
        let engine = match GuestEngine::new(config.guests, &config.cache) {
            Ok(engine) => Arc::new(engine),
            Err(error) => {
                shelf.findings.push(Finding::fault(
                    "[guests]",
                    error.to_string(),
                    "the host does not start, and its plugins cannot be looked at",
                    "lower memory_bytes or max_calls, or let the process map more memory",
                ));
                return shelf;
            }
        };
        for app in &config.apps {
            let mut plugins = Vec::new();
            for file in files(app) {
                shelf.take(app, &engine, &file, &mut plugins).await;
            }
            shelf.apps.push((app.id.clone(), plugins));
        }
        engine.finish().await;
        shelf
    }

    /// Returns the findings from loading the plugins.
    pub(super) fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }

    /// Returns the plugins that a host would have live for that app.
    pub(super) fn of(&self, app: &AppConfig) -> &[Arc<Plugin>] {
        let found = self.apps.iter().find(|(id, _)| *id == app.id);
        found.map(|(_, plugins)| plugins.as_slice()).unwrap_or_default()
    }

    async fn take(
        &mut self,
        app: &AppConfig,
        engine: &Arc<GuestEngine>,
        file: &Path,
        plugins: &mut Vec<Arc<Plugin>>,
    ) {
        let about = format!("app {}: {}", app.id, file.display());
        let offline = Arc::new(OpenApi::offline(Notebook::default()));
        let plugin = match load_alone(engine, offline, file, None).await {
            Ok(alone) => alone.plugin,
            Err(error) => {
                self.findings.push(Finding::fault(
                    about,
                    format!("a host does not take it: {error}"),
                    "what it was to answer is answered with the host's own words",
                    "`aviary check` says the same of a file before it is put there",
                ));
                return;
            }
        };
        if let Some(other) = plugins.iter().find(|other| other.conflicts_with(&plugin)) {
            self.findings.push(Finding::fault(
                about,
                format!("it claims the same callbacks as the plugin {}", other.name()),
                "a host takes only one of them",
                "give one of them a narrower [[route]] in its sidecar file, or take it away",
            ));
            return;
        }
        for missing in &plugin.provenance().not_granted {
            self.findings.push(Finding::note(
                about.clone(),
                missing.clone(),
                "it is refused whenever it asks for that",
                "grant it, or take it out of the world in wit/ that the plugin is built for",
            ));
        }
        plugins.push(plugin);
    }
}

fn files(app: &AppConfig) -> Vec<PathBuf> {
    // A folder that cannot be read has been named already.
    let entries = app.plugins.read_dir().into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect();
    files.sort();
    files
}

/// Returns true if a host gives callbacks of that type to the plugin, provided that their other contents match its routes.
pub(super) fn answers(plugin: &Plugin, app: &str, event_type: &str) -> bool {
    let kind = Kind::of_type(event_type);
    let handlers = plugin.handlers();
    let is_known = kind != Kind::Other;
    plugin.routes().iter().any(|route| {
        let is_for_app = route.app_id.as_deref().is_none_or(|id| id == app);
        let named = route.event_type.as_deref();
        let is_for_type = named.is_none_or(|named| named == event_type);
        // A type that the contract does not know is answered only by a plugin whose route names it.
        let takes = (is_known && handlers.typed(kind))
            || (handlers.json() && (is_known || named.is_some()));
        is_for_app && is_for_type && takes
    })
}
