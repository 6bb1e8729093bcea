//! From the files of one plugin to a plugin that may go live: read, compiled, linked, described, tested.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;

use lark_card::fault::Faults;
use sha2::Digest as _;
use tokio::time::Instant;

use crate::bindings::handlers::exports::lark::callback::plugin_info;
use crate::callback::fallback::OwnWords;
use crate::callback::seal::SealKey;
use crate::capability::http::Destinations;
use crate::capability::http::HttpGrantError;
use crate::capability::http::HttpWay;
use crate::capability::key_value::Buckets;
use crate::capability::open_api::ApiAccess;
use crate::deadline::DeadlineConfig;
use crate::open_api::grant::Granted;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::transport::OpenApi;
use crate::plugin::breaker::Breaker;
use crate::plugin::call_error::CallError;
use crate::plugin::code::Wasm;
use crate::plugin::code::code;
use crate::plugin::compile::CompileError;
use crate::plugin::compilers::LongTurn;
use crate::plugin::engine::GuestEngine;
use crate::plugin::explain::known_handlers;
use crate::plugin::explain::not_granted;
use crate::plugin::instance::describe::describe;
use crate::plugin::kept::Kept;
use crate::plugin::kept::Reuse;
use crate::plugin::lift;
use crate::plugin::manifest::Manifest;
use crate::plugin::manifest::ManifestError;
use crate::plugin::promote::NotPromoted;
use crate::plugin::promote::PromoteConfig;
use crate::plugin::promote::Rehearsed;
use crate::plugin::promote::rehearse;
use crate::plugin::registry::Handlers;
use crate::plugin::registry::Plugin;
use crate::plugin::route::Route;
use crate::plugin::runnable::Runnable;
use crate::plugin::runnable::Running;
use crate::plugin::secrets::plugin_secret;
use crate::plugin::self_test;
use crate::plugin::self_test::SelfTest;
use crate::plugin::self_test::SelfTestError;
use crate::plugin::settings::SettingsError;
use crate::plugin::usage::Usage;
use crate::small_file::OpenFolder;
use crate::small_file::ReadError;
use crate::small_file::off_thread;
use crate::store::Store;
use crate::telemetry::events::PLUGIN_NOT_GRANTED;
use crate::telemetry::events::PLUGIN_REHEARSED;

/// The largest file that is loaded. A Python component has 18 MB.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// The largest sidecar file: a thousand routes fit.
const MAX_SIDECAR_BYTES: u64 = 1024 * 1024;

/// Why a file is not live.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum LoadError {
    /// One of its files could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A thread that reckons for it has ended.
    #[error("cannot be loaded: {0}")]
    Thread(#[from] std::io::Error),
    /// It is not a component that fits.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It is a component and handles nothing.
    #[error("{0}")]
    NoHandler(String),
    /// Its sidecar file is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A setting cannot be had.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What the host adds to its requests cannot be had.
    #[error(transparent)]
    Http(#[from] HttpGrantError),
    /// It did not say what it is.
    #[error("plugin-info failed: {0}")]
    Describe(CallError),
    /// It wants something said that the platform would not show.
    #[error("plugin-info.still-working: {0}")]
    StillWorking(Faults),
    /// It does not pass its own tests.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// It has not shown what it has to.
    #[error(transparent)]
    NotPromoted(#[from] NotPromoted),
    /// Another plugin takes the same callbacks.
    #[error(
        "claims the same callbacks as the live plugin {other:?}; give one of them a narrower [[route]]"
    )]
    Conflict {
        /// The other's name.
        other: String,
    },
}

impl LoadError {
    /// Whether the file is as good as any, and only has to wait for its turn to be compiled.
    pub(super) fn waits_for_turn(&self) -> bool {
        matches!(self, Self::Compile(CompileError::TakesLong))
    }
}

/// Everything about one plugin that lies in the folder.
#[derive(Debug)]
pub(super) struct Source {
    folder: Arc<OpenFolder>,
    wasm: Wasm,
    sidecar: Option<String>,
    tests: Vec<SelfTest>,
}

impl Source {
    /// Reads it, all from one folder even if another takes its place meanwhile.
    pub(super) async fn read(folder: &Path, name: &str) -> Result<Self, LoadError> {
        let (path, name) = (folder.to_owned(), name.to_owned());
        off_thread(folder, move || Self::read_blocking(&path, &name)).await
    }

    fn read_blocking(path: &Path, name: &str) -> Result<Self, LoadError> {
        let folder = Arc::new(OpenFolder::open(path)?);
        let file = |ending: &str| PathBuf::from(format!("{name}.{ending}"));
        let sidecar = match folder.read(&file("toml"), MAX_SIDECAR_BYTES) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(error.into()),
        };
        let wasm = folder.read(&file("wasm"), MAX_FILE_BYTES)?;
        let tests = self_test::read(&folder, &file("tests"))?;
        Ok(Self { folder, wasm: Wasm::new(wasm.into()), sidecar, tests })
    }

    /// What tells one content from another.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = sha2::Sha256::new();
        hash.update(self.wasm.digest());
        hash.update([u8::from(self.sidecar.is_some())]);
        hash.update(sha2::Sha256::digest(self.sidecar.as_deref().unwrap_or_default()));
        for test in &self.tests {
            hash.update(sha2::Sha256::digest(test.body()));
        }
        hash.finalize().into()
    }
}

/// Where grants lead to.
#[derive(Clone, Debug)]
pub struct Outside {
    /// The platform's server API, as one app.
    pub open_api: Arc<OpenApi>,
    /// Everybody else's servers.
    pub http: HttpWay,
    /// What plugins keep.
    pub store: Store,
}

/// What the plugins of one folder have in common.
#[derive(Clone)]
pub(super) struct Loader {
    pub(super) app: Arc<str>,
    pub(super) engine: Arc<GuestEngine>,
    pub(super) outside: Outside,
    pub(super) seal_key: SealKey,
    /// What counts in place of what the sidecar file says.
    pub(super) reuse: Option<Reuse>,
    pub(super) promotion: Promotion,
}

/// What new versions are judged by, where their sidecar files say nothing else, and the journal that they are played.
#[derive(Clone, Debug, Default)]
pub struct Promotion {
    /// For all plugins.
    pub config: PromoteConfig,
    /// Where callbacks are written down, if they are.
    pub journal: Option<PathBuf>,
}

impl Loader {
    /// What it is asked to show before it takes the place of another version.
    pub(super) async fn rehearse(&self, plugin: &Arc<Plugin>) -> Result<(), LoadError> {
        let Some(count) = plugin.promote.replay() else { return Ok(()) };
        let journal = self.promotion.journal.as_deref();
        let shown = rehearse(&self.engine, plugin, journal, count).await?;
        let (app, name, version) = (&self.app, plugin.name(), plugin.version());
        let Rehearsed { played, other_replies, skipped } = shown;
        tracing::info!(%app, plugin = name, version, played, other_replies, skipped, "{PLUGIN_REHEARSED}");
        // It is loaded once.
        let _ = plugin.rehearsed.set(shown);
        Ok(())
    }

    /// With the turn of a compilation that is known to take long, if it is.
    pub(super) async fn load(
        &self,
        name: &str,
        source: Source,
        turn: Option<LongTurn>,
    ) -> Result<Arc<Plugin>, LoadError> {
        let Source { folder, wasm, sidecar, tests } = source;
        let mut manifest = sidecar.as_deref().map(Manifest::parse).transpose()?.unwrap_or_default();
        let (version, code) = tokio::join!(wasm.version(), code(&self.engine, wasm.clone(), turn));
        let (version, code) = (version?, code?);
        let no_handler = || LoadError::NoHandler(known_handlers(&code.linked));
        let handlers = Handlers::find(&code.linked).ok_or_else(no_handler)?;
        let runnable = Runnable::new(&code).ok_or_else(no_handler)?;
        let not_granted = not_granted(&code.linked, name, &manifest.grants);
        for missing in &not_granted {
            tracing::warn!(app = %self.app, plugin = name, version, missing, "{PLUGIN_NOT_GRANTED}");
        }
        let grant = manifest.grants.key_value.as_ref();
        let http = std::mem::take(&mut manifest.grants.http);
        let of_settings = std::mem::take(&mut manifest.settings);
        let about = folder.path().to_owned();
        let (destinations, settings) = off_thread(&about, move || {
            let read_secret = |source: &_| plugin_secret(source, &folder);
            let destinations = Destinations::open(&http, read_secret)?;
            let settings = of_settings.read(&folder)?.hiding(destinations.secrets());
            Ok::<_, LoadError>((destinations, settings))
        })
        .await?;
        let reuse = self.reuse.unwrap_or(manifest.reuse);
        let idle_places = Arc::clone(&self.engine.idle_places);
        let plugin = Plugin {
            app: Arc::clone(&self.app),
            name: name.into(),
            version: version.into(),
            places: self.engine.places(&code.linked),
            budget: self.engine.budget.clone(),
            breaker: Arc::new(Breaker::new(manifest.breaker)),
            usage: Usage::default(),
            pace: Arc::default(),
            kept: Kept::new(reuse, manifest.tenants(), manifest.limits.calls, idle_places),
            went_live: OnceLock::new(),
            running: Running::new(runnable, Arc::clone(&self.engine.machines)),
            handlers,
            code_source: code.source,
            code_took: code.took,
            still_working: manifest.still_working()?,
            routes: manifest.routes,
            limits: manifest.limits,
            allow: manifest.allow,
            seal_key: self.seal_key.clone(),
            events: manifest.events,
            clicks: manifest.clicks,
            previews: manifest.previews,
            buckets: grant.map(|grant| Buckets::new(&self.app, name, grant)).unwrap_or_default(),
            store: self.outside.store.clone(),
            promote: manifest.promote.unwrap_or(self.promotion.config),
            rehearsed: OnceLock::new(),
            not_granted,
            settings,
            destinations,
            http: self.outside.http.clone(),
            open_api: Arc::new(ApiAccess::new(
                Arc::clone(&self.outside.open_api),
                Granted::new(manifest.grants.open_api, manifest.grants.tenants),
                RateLimit::new(manifest.limits.api_rate()),
            )),
        };
        let deadline = DeadlineConfig::default().starting(Instant::now());
        let described = describe(&self.engine, plugin, deadline).await;
        let (mut plugin, info) = described.map_err(LoadError::Describe)?;
        if let Some(info) = info {
            plugin.take(info)?;
        }
        if plugin.routes.is_empty() {
            plugin.routes.push(Route::default());
        }
        let plugin = Arc::new(plugin);
        self_test::pass(&self.engine, &plugin, tests).await?;
        Ok(plugin)
    }
}

impl Plugin {
    /// What the plugin says of itself counts where its operator says nothing.
    fn take(&mut self, info: plugin_info::Info) -> Result<(), LoadError> {
        if self.routes.is_empty() {
            self.routes = info.routes.into_iter().map(Route::from).collect();
        }
        if self.still_working.is_none()
            && let Some(toast) = info.still_working
        {
            let declared = OwnWords::new(&lift::toast(toast));
            self.still_working = Some(declared.map_err(LoadError::StillWorking)?);
        }
        Ok(())
    }
}
