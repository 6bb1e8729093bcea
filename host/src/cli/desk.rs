//! Engine, offline platform and collected log, for the commands that look at a plugin without a host.

use std::path::Path;
use std::sync::Arc;

use crate::cli::progress::with_progress;
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

/// Places for calls. One call of the largest components takes all of them.
const CALLS: u32 = 16;

/// The parts that loading and calling a plugin takes without a host.
pub(super) struct Desk {
    pub(super) engine: Arc<GuestEngine>,
    pub(super) notebook: Notebook,
    pub(super) log: Collector,
}

impl Desk {
    /// Creates the engine with the code cache at `path`: compiled code is read from it and kept there.
    pub(super) fn new(path: CachePath) -> Result<Self, EngineError> {
        let log = Collector::default();
        log.install();
        let cores = GuestsConfig::default().threads;
        // The user waits for the compiler and for nothing else, so it gets every core.
        let guests =
            GuestsConfig { max_calls: CALLS, compile_threads: cores, ..GuestsConfig::default() };
        let engine =
            Arc::new(GuestEngine::new(guests, &CacheConfig { path, ..CacheConfig::default() })?);
        Ok(Self { engine, notebook: Notebook::default(), log })
    }

    /// Returns the number of calls of a plugin that can be under way at once, one on each thread.
    pub(super) fn at_once(plugin: &Plugin) -> u32 {
        let threads = u32::try_from(GuestsConfig::default().threads).unwrap_or(CALLS);
        threads.min(CALLS / plugin.places()).max(1)
    }

    /// Loads a plugin as a host would.
    pub(super) async fn load(&self, file: &Path) -> Result<Alone, AloneError> {
        self.load_with(file, None).await
    }

    /// Loads a plugin as a host would, with `reuse`, if given, in place of the sidecar file's.
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
        with_progress(&what, loading).await
    }
}
