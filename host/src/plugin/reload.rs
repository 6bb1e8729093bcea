//! The plugins folder: what lies in it is live, soon after it changed and only if it is sound.
//!
//! A file that cannot be loaded changes nothing: whatever version of it was live before stays so. Deleting a file is
//! how a plugin is taken out.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use notify::RecursiveMode;
use notify::Watcher as _;
use sha2::Digest as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::capability::config::ConfigCtx;
use crate::deadline::DeadlineConfig;
use crate::open_api::transport::OpenApi;
use crate::plugin::breaker::Breaker;
use crate::plugin::compile::CompileError;
use crate::plugin::compile::compile;
use crate::plugin::engine::GuestEngine;
use crate::plugin::instance::CallError;
use crate::plugin::instance::describe;
use crate::plugin::manifest::Manifest;
use crate::plugin::manifest::ManifestError;
use crate::plugin::registry::Handlers;
use crate::plugin::registry::Plugin;
use crate::plugin::registry::Registry;
use crate::plugin::registry::Snapshot;
use crate::plugin::route::Route;
use crate::plugin::usage::Usage;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// Quiet time after a change before the folder is read: a copy writes its file in many steps.
const SETTLE: Duration = Duration::from_millis(50);
/// A folder that never is quiet is read all the same after this long.
const SETTLE_AT_MOST: Duration = Duration::from_secs(1);
/// How often the folder is read without any notice: network file systems give none.
const POLL: Duration = Duration::from_secs(2);
/// The largest file that is loaded. A Python component has 18 MB.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// How many plugins one folder may hold.
const MAX_PLUGINS: usize = 10_000;

/// Why a file is not live.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is too large.
    #[error("{size} bytes; a plugin may have {MAX_FILE_BYTES}")]
    TooLarge {
        /// Its size.
        size: u64,
    },
    /// It is not a component that fits.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It is a component and handles nothing.
    #[error(
        "exports no handler of lark:callback@0.1.0: one of card-action-handler, link-preview-handler, legacy-card-handler, event-handler, callback-handler is needed"
    )]
    NoHandler,
    /// Its sidecar file is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It did not say what it is.
    #[error("plugin-info failed: {0}")]
    Describe(CallError),
    /// Another plugin takes the same callbacks.
    #[error(
        "claims the same callbacks as the live plugin {other:?}; give one of them a narrower [[route]]"
    )]
    Conflict {
        /// The other's name.
        other: String,
    },
}

/// Size and time of a file: what tells that it changed without reading it.
type Stamp = (u64, Option<SystemTime>);

/// One `name.wasm` and what became of it.
struct File {
    stamps: (Stamp, Option<Stamp>),
    live: Option<Arc<Plugin>>,
    /// Loaded well, and waiting: to be published, or for another plugin to give way.
    candidate: Option<Arc<Plugin>>,
    refused: Option<String>,
}

/// Keeps one app's registry as its folder is.
pub struct Folder {
    app: Arc<str>,
    path: PathBuf,
    engine: Arc<GuestEngine>,
    open_api: Arc<OpenApi>,
    registry: Registry,
    files: BTreeMap<String, File>,
}

impl Folder {
    /// Nothing is read before [`Folder::scan`].
    pub fn new(
        app: Arc<str>,
        path: PathBuf,
        engine: Arc<GuestEngine>,
        open_api: Arc<OpenApi>,
        registry: Registry,
    ) -> Self {
        Self { app, path, engine, open_api, registry, files: BTreeMap::new() }
    }

    /// Follows the folder until the host stops.
    pub async fn run(mut self, shutdown: Shutdown) {
        let (changed, mut changes) = watch::channel(());
        let _watcher = watch_folder(&self.path, changed);
        loop {
            tokio::select! {
                // Cancel safe: all three only wait.
                () = shutdown.begun() => return,
                _ = changes.changed() => settle(&mut changes).await,
                () = tokio::time::sleep(POLL) => {}
            }
            self.scan().await;
        }
    }

    /// Reads the folder once and publishes what is sound.
    pub async fn scan(&mut self) {
        let found = match list(&self.path) {
            Ok(found) => found,
            Err(error) => {
                // A mount that went away for a moment is no reason to take every plugin down.
                tracing::warn!(app = %self.app, folder = %self.path.display(), %error, "plugins folder cannot be read");
                return;
            }
        };
        let mut changed = false;
        let gone: Vec<_> =
            self.files.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        for name in gone {
            changed = true;
            self.files.remove(&name);
            tracing::info!(app = %self.app, plugin = name, "plugin removed");
        }
        for (name, stamps) in found {
            if self.files.get(&name).is_some_and(|file| file.stamps == stamps) {
                continue;
            }
            changed = true;
            self.load_file(name, stamps).await;
        }
        if changed {
            self.publish();
        }
    }

    async fn load_file(&mut self, name: String, stamps: (Stamp, Option<Stamp>)) {
        let loaded = self.load(&name).await;
        let file = self.files.entry(name.clone()).or_insert_with(|| File {
            stamps,
            live: None,
            candidate: None,
            refused: None,
        });
        file.stamps = stamps;
        match loaded {
            Ok(plugin) => file.candidate = Some(plugin),
            Err(error) => {
                file.candidate = None;
                refuse(&self.app, &name, file, &error);
            }
        }
    }

    async fn load(&self, name: &str) -> Result<Arc<Plugin>, LoadError> {
        let wasm = self.path.join(format!("{name}.wasm"));
        let size = tokio::fs::metadata(&wasm).await?.len();
        if size > MAX_FILE_BYTES {
            return Err(LoadError::TooLarge { size });
        }
        let manifest = match tokio::fs::read_to_string(self.path.join(format!("{name}.toml"))).await
        {
            Ok(text) => Manifest::parse(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Manifest::default(),
            Err(error) => return Err(error.into()),
        };
        let bytes = tokio::fs::read(&wasm).await?;
        let version = hex::encode(&sha2::Sha256::digest(&bytes)[..6]);
        let engine = Arc::clone(&self.engine);
        let instance_pre =
            self.engine.compile(move || compile(&engine, &bytes)).await.unwrap_or_else(|| {
                Err(CompileError::Compile("the compiler panicked".to_owned()))
            })?;
        let handlers = Handlers::find(&instance_pre).ok_or(LoadError::NoHandler)?;
        let plugin = Plugin {
            app: Arc::clone(&self.app),
            name: name.into(),
            version: version.into(),
            places: self.engine.places(instance_pre.component()),
            budget: self.engine.budget.clone(),
            breaker: Arc::new(Breaker::new(manifest.breaker)),
            usage: Usage::default(),
            instance_pre,
            handlers,
            routes: manifest.routes,
            limits: manifest.limits,
            grants: manifest.grants.open_api.into(),
            settings: ConfigCtx::new(manifest.settings),
            open_api: Arc::clone(&self.open_api),
        };
        let deadline = DeadlineConfig::default().starting(Instant::now());
        let described = describe(&self.engine, plugin, deadline).await;
        let (mut plugin, info) = described.map_err(LoadError::Describe)?;
        if plugin.routes.is_empty() {
            plugin.routes = info
                .map_or_else(Vec::new, |info| info.routes.into_iter().map(Route::from).collect());
        }
        if plugin.routes.is_empty() {
            plugin.routes.push(Route::default());
        }
        Ok(Arc::new(plugin))
    }

    /// Makes live what claims nothing that another live plugin has: a newcomer cannot take callbacks from anyone.
    fn publish(&mut self) {
        // One that takes the place of its old version may free what another waits for, hence the rounds.
        while let Some(name) = self.files.keys().find(|name| self.can_go_live(name)).cloned() {
            let Some(file) = self.files.get_mut(&name) else { break };
            let Some(plugin) = file.candidate.take() else { break };
            let handles = plugin.handlers().names().join(" ");
            tracing::info!(app = %self.app, plugin = name, version = plugin.version(), handles, "plugin live");
            file.live = Some(plugin);
            file.refused = None;
        }
        let conflicts: Vec<_> = self
            .files
            .keys()
            .filter_map(|name| Some((name.clone(), self.conflict(name)?)))
            .collect();
        for (name, other) in conflicts {
            if let Some(file) = self.files.get_mut(&name) {
                refuse(&self.app, &name, file, &LoadError::Conflict { other });
            }
        }
        let live: Vec<_> = self.files.values().filter_map(|file| file.live.clone()).collect();
        telemetry::set_plugins_live(&self.app, live.len());
        self.registry.publish(Snapshot::new(live));
    }

    fn can_go_live(&self, name: &str) -> bool {
        self.files.get(name).is_some_and(|file| file.candidate.is_some())
            && self.conflict(name).is_none()
    }

    /// The live plugin that a waiting one is in conflict with.
    fn conflict(&self, name: &str) -> Option<String> {
        let candidate = self.files.get(name)?.candidate.as_ref()?;
        let others = self
            .files
            .iter()
            .filter(|(other, _)| *other != name)
            .filter_map(|(_, file)| file.live.as_ref());
        others
            .into_iter()
            .find(|other| other.conflicts_with(candidate))
            .map(|other| other.name().to_owned())
    }
}

/// Says why, once for each reason.
fn refuse(app: &str, name: &str, file: &mut File, error: &LoadError) {
    let reason = error.to_string();
    if file.refused.as_ref() == Some(&reason) {
        return;
    }
    let still_live = file.live.as_ref().map(|plugin| plugin.version());
    tracing::error!(app, plugin = name, reason, still_live, "plugin refused");
    file.refused = Some(reason);
}

fn list(folder: &Path) -> std::io::Result<BTreeMap<String, (Stamp, Option<Stamp>)>> {
    let stamp = |path: &Path| -> std::io::Result<Stamp> {
        let metadata = std::fs::metadata(path)?;
        Ok((metadata.len(), metadata.modified().ok()))
    };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let (Some(name), Some("wasm")) =
            (path.file_stem(), path.extension().and_then(|ending| ending.to_str()))
        else {
            continue;
        };
        // A file that went away between the two calls is simply not there.
        if let (Some(name), Ok(wasm)) = (name.to_str(), stamp(&path)) {
            found.insert(name.to_owned(), (wasm, stamp(&path.with_extension("toml")).ok()));
        }
        if found.len() == MAX_PLUGINS {
            tracing::warn!(folder = %folder.display(), "more than {MAX_PLUGINS} plugins, the rest is left out");
            break;
        }
    }
    Ok(found)
}

/// Without notices the folder is still read every [`POLL`].
fn watch_folder(path: &Path, changed: watch::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let notice = move |_event: notify::Result<notify::Event>| {
        // Nobody listens any more once the host is stopping.
        let _ = changed.send(());
    };
    let watching = notify::recommended_watcher(notice).and_then(|mut watcher| {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching
        .inspect_err(|error| tracing::warn!(folder = %path.display(), %error, "no file notices, reading every 2 s"))
        .ok()
}

async fn settle(changes: &mut watch::Receiver<()>) {
    let at_most = tokio::time::sleep(SETTLE_AT_MOST);
    tokio::pin!(at_most);
    loop {
        tokio::select! {
            // Cancel safe: all of them only wait.
            () = &mut at_most => return,
            () = tokio::time::sleep(SETTLE) => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}
