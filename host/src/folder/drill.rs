//! A plugin's calls by themselves, without door, route and reply: what of a callback the engine alone takes. For
//! measurements; nothing in here answers anybody.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::callback::model::Callback;
use crate::callback::plain;
use crate::folder::alone::load_alone;
use crate::open_api::notebook::Notebook;
use crate::open_api::transport::OpenApi;
use crate::plugin::loaded::Plugin;
use crate::runtime::call::run::Instances;
use crate::runtime::call::run::repeat;
use crate::runtime::code_cache::CacheConfig;
use crate::runtime::code_cache::CachePath;
use crate::runtime::config::GuestsConfig;
use crate::runtime::engine::GuestEngine;

/// One plugin and one callback on an engine of their own.
#[derive(Debug)]
pub struct Drill {
    engine: Arc<GuestEngine>,
    threads: usize,
    plugin: Arc<Plugin>,
    callback: Arc<Callback>,
}

/// Why nothing could be measured, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DrillError(String);

impl DrillError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Drill {
    /// Loads `name.wasm` with whatever is beside it. The callback is as it comes over the long connection.
    pub async fn load(file: &Path, callback: Bytes, threads: usize) -> Result<Self, DrillError> {
        let callback = Arc::new(plain::read(callback).map_err(DrillError::new)?);
        let guests = GuestsConfig { threads, ..GuestsConfig::default() };
        let no_cache = CacheConfig { path: CachePath::Off, ..CacheConfig::default() };
        let engine = Arc::new(GuestEngine::new(guests, &no_cache).map_err(DrillError::new)?);
        let open_api = Arc::new(OpenApi::offline(Notebook::default()));
        let loaded = load_alone(&engine, open_api, file, None).await.map_err(DrillError::new)?;
        Ok(Self { engine, threads, plugin: loaded.plugin, callback })
    }

    /// Calls it that often, on all guest threads at once, and says how long each call took on its thread. The first that
    /// gets no reply ends it.
    pub async fn run(&self, calls: usize) -> Result<Vec<Duration>, DrillError> {
        self.run_with(Instances::Fresh, calls).await
    }

    /// The same with one instance for all calls of a thread.
    pub async fn run_reused(&self, calls: usize) -> Result<Vec<Duration>, DrillError> {
        self.run_with(Instances::Reused, calls).await
    }

    async fn run_with(
        &self,
        instances: Instances,
        calls: usize,
    ) -> Result<Vec<Duration>, DrillError> {
        let each = calls.div_ceil(self.threads);
        let thread = |_| repeat(&self.engine, self.plugin.unit(), &self.callback, instances, each);
        let threads: Vec<_> = (0..self.threads).map(thread).collect();
        let mut taken = Vec::with_capacity(calls);
        for thread in threads {
            taken.extend(thread.await.map_err(DrillError::new)?.map_err(DrillError::new)?);
        }
        Ok(taken)
    }
}
