//! From the files of one plugin to a plugin that may go live: read, compiled, linked, described, tested.

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
use crate::folder::self_test::SelfTest;
use crate::folder::self_test::SelfTestError;
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
use crate::runtime::call::describe::describe;
use crate::runtime::call::error::CallError;
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
    #[error(transparent)]
    NoHandler(#[from] NoHandler),
    /// Its sidecar file is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A setting cannot be had.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What the host adds to its requests cannot be had.
    #[error(transparent)]
    Grants(#[from] GrantsError),
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
    /// `None` where a plugin is loaded alone: whoever loads it is told everything as the result.
    pub(super) announcer: Option<Announcer>,
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
    fn announce(&self, plugin: &str, change: FolderChange) {
        if let Some(announcer) = &self.announcer {
            announcer.announce(FolderEvent { plugin: plugin.into(), change });
        }
    }

    /// What it is asked to show before it takes the place of another version.
    pub(super) async fn rehearse(&self, plugin: &Arc<Plugin>) -> Result<(), LoadError> {
        let Some(count) = plugin.policy().promote.replay() else { return Ok(()) };
        let journal = self.promotion.journal.as_deref();
        let shown = rehearse(&self.engine, plugin, journal, count).await?;
        let version = plugin.version().into();
        self.announce(plugin.name(), FolderChange::Rehearsed { version, shown });
        plugin.record_rehearsal(shown);
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
        let loading = self.engine.loader.load(wasm.clone(), turn);
        let (version, code) = tokio::join!(wasm.version(), loading);
        let (version, code) = (version?, code?);
        let not_granted = not_granted(&code.imports(), name, &manifest.grants);
        for missing in &not_granted {
            let (version, missing) = (version.as_str().into(), missing.clone());
            self.announce(name, FolderChange::NotGranted { version, missing });
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

    /// What the plugin may reach by its sidecar file.
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
