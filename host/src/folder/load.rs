//! Turns the files of one plugin into a plugin that may go live: they are read, compiled, linked, described and tested.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use lark_card::fault::Faults;
use sha2::Digest as _;
use tokio::time::Instant;

use crate::callback::seal::SealKey;
use crate::capability::access::Access;
use crate::capability::access::GrantsError;
use crate::capability::access::Outside;
use crate::capability::access::PluginId;
use crate::deadline::DeadlineConfig;
use crate::folder::event::Announcer;
use crate::folder::event::FolderChange;
use crate::folder::event::FolderEvent;
use crate::folder::promote::NotPromoted;
use crate::folder::promote::rehearse;
use crate::folder::self_test;
use crate::folder::self_test::SelfTestError;
use crate::folder::self_test::SelfTests;
use crate::open_api::rate_limit::RateLimit;
use crate::plugin::breaker::Breaker;
use crate::plugin::config::promote::PromoteConfig;
use crate::plugin::loaded::Plugin;
use crate::plugin::loaded::Provenance;
use crate::plugin::manifest::Manifest;
use crate::plugin::manifest::ManifestError;
use crate::plugin::not_granted::not_granted;
use crate::plugin::secrets::plugin_secret;
use crate::plugin::settings::SettingsError;
use crate::plugin::socket_modules::socket_modules;
use crate::runtime::call::describe::describe;
use crate::runtime::call::error::CallError;
use crate::runtime::code::CodeSource;
use crate::runtime::code::compile_error::CompileError;
use crate::runtime::code::wasm::Wasm;
use crate::runtime::compiler_pool::LongTurn;
use crate::runtime::engine::GuestEngine;
use crate::runtime::reuse::Reuse;
use crate::runtime::unit::NoHandler;
use crate::runtime::unit::Unit;
use crate::runtime::unit::UnitConfig;
use crate::small_file::OpenFolder;
use crate::small_file::ReadError;
use crate::small_file::off_thread;
use crate::telemetry::events::PLUGIN_WITH_SOCKETS;

/// The largest file that is loaded, in bytes. A Python component has 18 MB.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// The largest sidecar file, in bytes. A thousand routes fit.
const MAX_SIDECAR_BYTES: u64 = 1024 * 1024;

/// Why a file is not live.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum LoadError {
    /// One of the plugin's files could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A background thread that worked on the plugin has ended.
    #[error("cannot be loaded: {0}")]
    Thread(#[from] std::io::Error),
    /// The file is not a component that this host can run.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The component exports no handler.
    #[error(transparent)]
    NoHandler(#[from] NoHandler),
    /// The sidecar file is invalid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A setting cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A credential that the host adds to the plugin's requests cannot be read.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// The plugin's `describe` failed.
    #[error("plugin-info failed: {0}")]
    Describe(CallError),
    /// The plugin's "still working" toast breaks a rule of the platform.
    #[error("plugin-info.still-working: {0}")]
    StillWorking(Faults),
    /// The plugin does not pass its own tests.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The version failed its rehearsal, or could not be rehearsed.
    #[error(transparent)]
    NotPromoted(#[from] NotPromoted),
    /// Another plugin takes the same callbacks.
    #[error(
        "claims the same callbacks as the live plugin {other:?}; give one of them a narrower [[route]]"
    )]
    Conflict {
        /// The name of that plugin.
        other: String,
    },
}

impl LoadError {
    /// Tells whether nothing is wrong with the file, and it only has to wait for a turn to be compiled.
    pub(super) fn waits_for_turn(&self) -> bool {
        matches!(self, Self::Compile(CompileError::TakesLong))
    }
}

/// The files of one plugin, read.
#[derive(Debug)]
pub(super) struct PluginSource {
    folder: Arc<OpenFolder>,
    wasm: Wasm,
    sidecar: Option<String>,
    tests: SelfTests,
}

impl PluginSource {
    /// Reads the files, all from one folder even if another takes its place meanwhile.
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
        let tests = SelfTests::read(&folder, &file("tests"))?;
        Ok(Self { folder, wasm: Wasm::new(wasm.into()), sidecar, tests })
    }

    /// Returns a digest of all files of the plugin.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = sha2::Sha256::new();
        hash.update(self.wasm.digest());
        hash.update([u8::from(self.sidecar.is_some())]);
        hash.update(sha2::Sha256::digest(self.sidecar.as_deref().unwrap_or_default()));
        for content in self.tests.contents() {
            hash.update(sha2::Sha256::digest(content));
        }
        hash.finalize().into()
    }
}

/// The settings and services that the plugins of one folder share.
#[derive(Clone)]
pub(super) struct Loader {
    pub(super) app: Arc<str>,
    pub(super) engine: Arc<GuestEngine>,
    pub(super) outside: Outside,
    pub(super) seal_key: SealKey,
    /// Overrides the value in the sidecar file.
    pub(super) reuse: Option<Reuse>,
    pub(super) promotion: Promotion,
    /// `None` where a plugin is loaded alone: its caller learns everything from the result.
    pub(super) announcer: Option<Announcer>,
}

/// The rules for promoting a new version, and the journal whose callbacks are replayed with it.
#[derive(Clone, Debug, Default)]
pub struct Promotion {
    /// Applies to plugins whose sidecar files say nothing about promotion.
    pub config: PromoteConfig,
    /// The journal's folder; `None` if the host keeps no journal.
    pub journal: Option<PathBuf>,
}

impl Loader {
    fn announce(&self, plugin: &str, change: FolderChange) {
        if let Some(announcer) = &self.announcer {
            announcer.announce(FolderEvent { plugin: plugin.into(), change });
        }
    }

    /// Replays the journal's last callbacks with a new version, if `promote.replay` asks for it.
    pub(super) async fn rehearse(&self, plugin: &Arc<Plugin>) -> Result<(), LoadError> {
        let Some(count) = plugin.policy().promote.replay() else { return Ok(()) };
        let journal = self.promotion.journal.as_deref();
        let shown = rehearse(&self.engine, plugin, journal, count).await?;
        let version = plugin.version().into();
        self.announce(plugin.name(), FolderChange::Rehearsed { version, shown });
        plugin.record_rehearsal(shown);
        Ok(())
    }

    /// Loads a plugin from its files. `turn` is given if compiling is known to take long.
    pub(super) async fn load(
        &self,
        name: &str,
        source: PluginSource,
        turn: Option<LongTurn>,
    ) -> Result<Arc<Plugin>, LoadError> {
        let PluginSource { folder, wasm, sidecar, tests } = source;
        let mut manifest = sidecar.as_deref().map(Manifest::parse).transpose()?.unwrap_or_default();
        let loading = self.engine.loader.load(wasm.clone(), turn);
        let (version, code) = tokio::join!(wasm.version(), loading);
        let (version, code) = (version?, code?);
        let not_granted = not_granted(&code.imports(), name, &manifest.grants);
        for missing in &not_granted {
            let (version, missing) = (version.as_str().into(), missing.clone());
            self.announce(name, FolderChange::NotGranted { version, missing });
        }
        // Compiled code that is found in the cache was warned of when it was compiled, and is to be live at once.
        if code.source == CodeSource::Compiled
            && let Some(reason) = wasm.find_in(socket_modules).await?
        {
            tracing::warn!(app = %self.app, plugin = name, %version, reason, "{PLUGIN_WITH_SOCKETS}");
        }
        let id = PluginId { app: self.app.clone(), name: name.into(), version: version.into() };
        let access = self.access(id, &mut manifest, folder).await?;
        let config = UnitConfig {
            limits: manifest.limits,
            reuse: self.reuse.unwrap_or(manifest.reuse),
            tenants: manifest.tenants(),
        };
        let unit = Arc::new(Unit::new(&self.engine, &code, config, access)?);
        let deadline = DeadlineConfig::default().starting(Instant::now());
        let info = describe(&self.engine, &unit, deadline).await.map_err(LoadError::Describe)?;
        let breaker = Breaker::new(manifest.breaker);
        let policy = manifest.policy(self.promotion.config)?;
        let policy = policy.completed_by(info).map_err(LoadError::StillWorking)?;
        let provenance =
            Provenance { code_source: code.source, code_load_time: code.took, not_granted };
        let plugin = Arc::new(Plugin::new(unit, policy, provenance, breaker));
        self_test::pass(&self.engine, &plugin, tests).await?;
        Ok(plugin)
    }

    /// Opens the grants and reads the settings of the sidecar file.
    async fn access(
        &self,
        id: PluginId,
        manifest: &mut Manifest,
        folder: Arc<OpenFolder>,
    ) -> Result<Access, LoadError> {
        let (grants, settings) =
            (std::mem::take(&mut manifest.grants), std::mem::take(&mut manifest.settings));
        let (outside, seal_key) = (self.outside.clone(), self.seal_key.clone());
        let (api_rate, log_bytes) =
            (RateLimit::new(manifest.limits.api_rate()), manifest.limits.log_bytes);
        let about = folder.path().to_owned();
        off_thread(&about, move || {
            let read_secret = |source: &_| plugin_secret(source, &folder);
            let privileges = grants.open(&id, outside, api_rate, read_secret)?;
            let settings = settings.read(&folder)?.hiding(privileges.secrets());
            Ok(Access { id, privileges, settings, seal_key, log_bytes })
        })
        .await
    }
}
