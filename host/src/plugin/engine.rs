//! The wasmtime engine, configured once, and the threads that guests run on.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::Semaphore;
use wasmtime::Config;
use wasmtime::Enabled;
use wasmtime::Engine;
use wasmtime::PoolingAllocationConfig;
use wasmtime::component::HasSelf;
use wasmtime::component::Linker;

use crate::bindings::lark::callback::deferred;
use crate::bindings::lark::callback::open_api;
use crate::bindings::lark::callback::request;
use crate::bindings::wasi::config::store;
use crate::bindings::wasi::logging::logging;
use crate::plugin::limits::MAX_MEMORY_BYTES;
use crate::plugin::state::GuestState;

/// Pages that an instance touched stay mapped for the next one up to this size: page faults, not instantiation, are
/// what a fresh instance costs.
const KEEP_RESIDENT: usize = 64 * 1024 * 1024;
/// A component made by a language with a runtime of its own is several core modules linked together.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Of those, some bring a memory or a table.
const MEMORIES_PER_COMPONENT: u32 = 8;
/// Likewise.
const TABLES_PER_COMPONENT: u32 = 32;
/// Function pointers of the largest runtimes, several times over.
const TABLE_ELEMENTS: usize = 100_000;
/// Bookkeeping of one instance; wasmtime's default is too small for the largest runtimes.
const INSTANCE_BYTES: usize = 4 * 1024 * 1024;

/// `[guests]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestsConfig {
    /// Threads that run guests, 1 to 256. They are apart from those that do I/O.
    pub threads: usize,
    /// Calls under way at once, 1 to 1000, over all plugins. Each has a place in the memory pool.
    pub max_calls: u32,
}

impl Default for GuestsConfig {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            max_calls: 128,
        }
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A number out of its range.
    #[error("guests.{name}: {value} is not between 1 and {limit}")]
    OutOfRange {
        /// The key.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// The threads could not be started.
    #[error("cannot start the threads that run guests: {0}")]
    Threads(#[from] std::io::Error),
    /// wasmtime refused its configuration: most often too little address space for the pool.
    #[error("cannot set up the WebAssembly engine: {0}")]
    Engine(String),
}

impl GuestsConfig {
    /// Checks the numbers.
    pub fn validate(&self) -> Result<(), EngineError> {
        let in_range = |name, value, limit| {
            let fits = (1..=limit).contains(&value);
            if fits { Ok(()) } else { Err(EngineError::OutOfRange { name, value, limit }) }
        };
        in_range("threads", self.threads, 256)?;
        in_range("max_calls", self.max_calls as usize, 1000)
    }
}

/// What compiles, links and runs every plugin of the process.
pub struct GuestEngine {
    pub(super) engine: Engine,
    pub(super) linker: Linker<GuestState>,
    pub(super) places: Arc<Semaphore>,
    threads: Option<tokio::runtime::Runtime>,
}

impl std::fmt::Debug for GuestEngine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GuestEngine").field("places", &self.places).finish_non_exhaustive()
    }
}

impl GuestEngine {
    /// Starts the threads and reserves the pool's address space.
    pub fn new(config: GuestsConfig) -> Result<Self, EngineError> {
        config.validate()?;
        let failed = |error: wasmtime::Error| EngineError::Engine(format!("{error:#}"));
        let engine = Engine::new(&engine_config(config)).map_err(failed)?;
        let linker = link(&engine).map_err(failed)?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads)
            .thread_name("guest")
            .on_thread_start(Engine::tls_eager_initialize)
            // A guest that yields goes to the back of its thread's queue; looking at the queue of new calls after
            // every one of them is what lets a healthy call overtake the runaways.
            .global_queue_interval(1)
            .enable_time()
            .build()?;
        let places = Arc::new(Semaphore::new(config.max_calls as usize));
        Ok(Self { engine, linker, places, threads: Some(threads) })
    }

    /// Where guests run.
    pub(super) fn threads(&self) -> &tokio::runtime::Handle {
        // The runtime is only ever taken by `drop`.
        self.threads
            .as_ref()
            .map_or_else(|| unreachable!("the engine is being dropped"), |runtime| runtime.handle())
    }
}

impl Drop for GuestEngine {
    fn drop(&mut self) {
        // Dropping a runtime waits for it, which an async context may not; a guest that is still at it is not waited for.
        if let Some(runtime) = self.threads.take() {
            runtime.shutdown_background();
        }
    }
}

fn engine_config(guests: GuestsConfig) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(guests.max_calls)
        .total_core_instances(guests.max_calls * 4)
        .total_memories(guests.max_calls * 2)
        .total_tables(guests.max_calls * 4)
        .total_stacks(guests.max_calls)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_memory_size(MAX_MEMORY_BYTES)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(pool)
        .memory_init_cow(true)
        .consume_fuel(true)
        // One call at a time in an instance: the machinery for more costs time in each call.
        .concurrency_support(false);
    config
}

fn link(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    request::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.request
    })?;
    deferred::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.deferred
    })?;
    open_api::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.open_api
    })?;
    store::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| &mut state.config)?;
    logging::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.logging
    })?;
    Ok(linker)
}
