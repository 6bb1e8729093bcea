//! Runs a plugin's calls without door, route and reply check: the part of a callback that the engine alone takes. For
//! measurements only; no result is sent to anybody.

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
    /// Loads `name.wasm` with its sidecar file and its tests. The callback has the form in which the long connection delivers
    /// it.
    pub async fn load(file: &Path, callback: Bytes, threads: usize) -> Result<Self, DrillError> {
        let callback = Arc::new(plain::read(callback).map_err(DrillError::new)?);
        let guests = GuestsConfig { threads, ..GuestsConfig::default() };
        let no_cache = CacheConfig { path: CachePath::Off, ..CacheConfig::default() };
        let engine = Arc::new(GuestEngine::new(guests, &no_cache).map_err(DrillError::new)?);
        let open_api = Arc::new(OpenApi::offline(Notebook::default()));
        let loaded = load_alone(&engine, open_api, file, None).await.map_err(DrillError::new)?;
        Ok(Self { engine, threads, plugin: loaded.plugin, callback })
    }

    /// Calls the plugin `calls` times, on all guest threads at once, and returns the time that each call took on its thread.
    /// Stops at the first call without a reply.
    pub async fn run(&self, calls: usize) -> Result<Vec<Duration>, DrillError> {
        self.run_with(Instances::Fresh, calls).await
    }

    /// Like [`Drill::run`], with one instance for all calls of a thread.
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
