//! What the commands share that look at a plugin without a host: an engine, no platform, and a log that is kept.

use std::path::Path;
use std::sync::Arc;

use crate::cli::progress::patiently;
use crate::folder::alone::Alone;
use crate::folder::alone::AloneError;
use crate::folder::alone::load_alone;
use crate::open_api::notebook::Notebook;
use crate::open_api::transport::OpenApi;
use crate::plugin::loaded::Plugin;
use crate::runtime::code_cache::CacheConfig;
use crate::runtime::code_cache::CachePath;
use crate::runtime::config::GuestsConfig;
use crate::runtime::engine::EngineError;
use crate::runtime::engine::GuestEngine;
use crate::runtime::reuse::Reuse;
use crate::telemetry::collector::Collector;

/// Calls under way at once. There is one; the largest of components takes as many places.
const CALLS: u32 = 16;

/// See the module.
pub(super) struct Desk {
    pub(super) engine: Arc<GuestEngine>,
    pub(super) notebook: Notebook,
    pub(super) log: Collector,
}

impl Desk {
    /// Compiled code is had from that folder where it lies there, and left there.
    pub(super) fn new(path: CachePath) -> Result<Self, EngineError> {
        let log = Collector::default();
        log.install();
        let cores = GuestsConfig::default().threads;
        // Somebody is waiting for the compiler, and for nothing else.
        let guests =
            GuestsConfig { max_calls: CALLS, compile_threads: cores, ..GuestsConfig::default() };
        let engine =
            Arc::new(GuestEngine::new(guests, &CacheConfig { path, ..CacheConfig::default() })?);
        Ok(Self { engine, notebook: Notebook::default(), log })
    }

    /// How many calls of it can be under way at once, one on each thread.
    pub(super) fn at_once(plugin: &Plugin) -> u32 {
        let threads = u32::try_from(GuestsConfig::default().threads).unwrap_or(CALLS);
        threads.min(CALLS / plugin.places()).max(1)
    }

    /// The plugin, as a host would have it.
    pub(super) async fn load(&self, file: &Path) -> Result<Alone, AloneError> {
        self.load_with(file, None).await
    }

    /// The same, however often its sidecar file says that an instance is used.
    pub(super) async fn load_with(
        &self,
        file: &Path,
        reuse: Option<Reuse>,
    ) -> Result<Alone, AloneError> {
        let open_api = Arc::new(OpenApi::offline(self.notebook.clone()));
        let what = format!("compiling {}", file.display());
        let loading = async {
            let loaded = load_alone(&self.engine, open_api, file, reuse).await;
            self.engine.finish().await;
            loaded
        };
        patiently(&what, loading).await
    }
}
