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
use crate::bindings::lark::callback::sealed_values;
use crate::bindings::wasi::config::store as config;
use crate::bindings::wasi::keyvalue::atomics;
use crate::bindings::wasi::keyvalue::store;
use crate::bindings::wasi::logging::logging;
use crate::plugin::code::CodeInUse;
use crate::plugin::code_cache::CacheConfig;
use crate::plugin::code_cache::CodeCache;
use crate::plugin::code_cache::OpenCache;
use crate::plugin::compilers::Compilers;
use crate::plugin::limits::MAX_CORE_INSTANCES;
use crate::plugin::limits::MAX_MEMORIES;
use crate::plugin::limits::MAX_MEMORY_BYTES;
use crate::plugin::limits::MAX_TABLE_ELEMENTS;
use crate::plugin::limits::MAX_TABLES;
use crate::plugin::limits::MemoryBudget;
use crate::plugin::linked::Linked;
use crate::plugin::priority::step_back;
use crate::plugin::state::GuestState;
use crate::plugin::turns::long_turns;

/// Pages that an instance touched stay mapped for the next one up to this size: page faults, not instantiation, are
/// what a fresh instance costs.
const KEEP_RESIDENT: usize = 64 * 1024 * 1024;
/// The same for tables, whatever their size. Given back, each of a small guest's two cost every call a system call and a
/// page fault.
const KEEP_TABLES_RESIDENT: usize = MAX_TABLE_ELEMENTS * size_of::<usize>();
/// Memories and tables for each place among the calls under way. A component that brings more takes several places.
const MEMORIES_PER_PLACE: u32 = 2;
/// Likewise; an element of a table is a pointer that is reserved, not used.
const TABLES_PER_PLACE: u32 = 4;
/// Places apart from those of calls, for plugins that say what they are while they are loaded, and for the largest
/// component on the smallest host.
const SPARE_PLACES: u32 = 8;
/// Of those, memories are fewer, because each reserves four gigabytes of addresses: two for each plugin that is described,
/// and two more, so that the largest component has its eight on the smallest host. That host fits into 64 GiB, which is
/// what valgrind has for a program.
const SPARE_MEMORIES: u32 = 10;
/// Plugins that are loaded at once, over all apps: while one is described, another is read. Each holds its file in
/// memory and, for a moment, a spare place.
const LOADED_AT_ONCE: usize = 4;
/// Bookkeeping of one instance; wasmtime's default is too small for the largest runtimes.
const INSTANCE_BYTES: usize = 4 * 1024 * 1024;

/// How far guests stand behind I/O in the queue for a core. Without it, on a machine that is busy with other things,
/// timers of the I/O threads were up to 50 ms late in one of a hundred cases; with it 10 ms. Twice as much was no better,
/// and would leave guests little of a machine that others use too.
const GUEST_NICENESS: i32 = 5;

/// `[guests]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestsConfig {
    /// Threads that run guests, 1 to 256. They are apart from those that do I/O.
    pub threads: usize,
    /// Calls under way at once, 1 to 1000, over all plugins. Each has a place in the memory pool. A plugin takes at most
    /// as many as are still free, so that however many of them hang, there is room for the others.
    pub max_calls: u32,
    /// Callbacks that may wait for a place, 1 to 100000, over all apps. One that would wait for too long is answered at
    /// once, so this is a limit on memory; a click takes the place of a link preview or an event.
    pub max_waiting: u32,
    /// Memory of all guests together. A call that cannot have more is answered as overload.
    pub memory_bytes: usize,
    /// Threads that compile plugins, 1 to 64. They are apart from those that do I/O and run guests, and come after them.
    pub compile_threads: usize,
}

impl Default for GuestsConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            threads: cores,
            max_calls: 128,
            max_waiting: 1024,
            memory_bytes: 2 << 30,
            compile_threads: cores.div_ceil(2),
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
    /// Nor those.
    #[error("cannot start the threads that compile plugins: {0}")]
    Compilers(#[from] rayon::ThreadPoolBuildError),
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
        in_range("max_calls", self.max_calls as usize, 1000)?;
        in_range("max_waiting", self.max_waiting as usize, 100_000)?;
        in_range("memory_bytes", self.memory_bytes, usize::MAX)?;
        in_range("compile_threads", self.compile_threads, 64)
    }
}

/// What compiles, links and runs every plugin of the process.
pub struct GuestEngine {
    pub(super) engine: Engine,
    pub(super) linker: Linker<GuestState>,
    /// For programs of WASI preview 1.
    pub(super) program_linker: wasmtime::Linker<GuestState>,
    pub(super) budget: MemoryBudget,
    pub(super) cache: CodeCache,
    pub(super) in_use: CodeInUse,
    /// For instances that wait for another call. They have places of their own: calls never find theirs taken.
    pub(super) idle_places: Arc<Semaphore>,
    max_calls: u32,
    pub(super) compilers: Compilers,
    pub(super) loading: Semaphore,
    pub(super) long_turns: Arc<Semaphore>,
    threads: Option<tokio::runtime::Runtime>,
}

impl std::fmt::Debug for GuestEngine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GuestEngine").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl GuestEngine {
    /// Starts the threads and reserves the pool's address space.
    pub fn new(config: GuestsConfig, cache: &CacheConfig) -> Result<Self, EngineError> {
        config.validate()?;
        let failed = |error: wasmtime::Error| EngineError::Engine(format!("{error:#}"));
        let cache = OpenCache::open(cache);
        let mut settings = engine_config(config);
        if let Some(functions) = cache.functions() {
            settings.enable_incremental_compilation(functions).map_err(failed)?;
        }
        let engine = Engine::new(&settings).map_err(failed)?;
        let linker = link(&engine).map_err(failed)?;
        let program_linker = link_programs(&engine).map_err(failed)?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads)
            .thread_name("guest")
            .on_thread_start(|| {
                step_back(GUEST_NICENESS);
                Engine::tls_eager_initialize();
            })
            // A guest that yields goes to the back of its thread's queue; looking at the queue of new calls after
            // every one of them is what lets a healthy call overtake the runaways.
            .global_queue_interval(1)
            .enable_time()
            .build()?;
        let compilers = Compilers::start(config.compile_threads)?;
        Ok(Self {
            cache: cache.with(&engine),
            in_use: CodeInUse::default(),
            idle_places: Arc::new(Semaphore::new(config.max_calls as usize)),
            engine,
            linker,
            program_linker,
            budget: MemoryBudget::new(config.memory_bytes),
            max_calls: config.max_calls,
            compilers,
            loading: Semaphore::new(LOADED_AT_ONCE),
            long_turns: Arc::new(long_turns(config.threads)),
            threads: Some(threads),
        })
    }

    /// Until everything that was compiled is on disk, for a process that would end before: it would be lost to the next one.
    pub async fn finish(&self) {
        self.compilers.finish().await;
    }

    /// How many of the places for calls one call of that plugin takes.
    pub(super) fn places(&self, linked: &Linked) -> u32 {
        let needed = linked.resources().map_or(self.max_calls, |needed| {
            let memories = needed.num_memories.div_ceil(MEMORIES_PER_PLACE);
            memories.max(needed.num_tables.div_ceil(TABLES_PER_PLACE))
        });
        needed.clamp(1, self.max_calls)
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
    // As many instances may wait for another call as there are calls.
    let places = guests.max_calls * 2;
    let memories = places * MEMORIES_PER_PLACE + SPARE_MEMORIES;
    let places = places + SPARE_PLACES;
    pool.total_component_instances(places)
        .total_core_instances(places * MAX_CORE_INSTANCES)
        .total_memories(memories)
        .total_tables(places * TABLES_PER_PLACE)
        .total_stacks(places)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_memory_size(MAX_MEMORY_BYTES)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_TABLES_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(pool)
        .memory_init_cow(true)
        .consume_fuel(true)
        // For debuggers and profilers alone: where in the file each instruction came from, and how to walk a stack without
        // frame pointers. Both would be compiled, written, checked and loaded with every plugin.
        .generate_address_map(false)
        .native_unwind_info(false)
        // One call at a time in an instance: the machinery for more costs time in each call.
        .concurrency_support(false);
    config
}

fn link_programs(engine: &Engine) -> wasmtime::Result<wasmtime::Linker<GuestState>> {
    let mut linker = wasmtime::Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |state: &mut GuestState| state.wasi.ctx())?;
    Ok(linker)
}

fn link(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    request::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().request
    })?;
    deferred::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().deferred
    })?;
    open_api::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().open_api
    })?;
    sealed_values::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().sealed_values
    })?;
    config::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().config
    })?;
    store::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().key_value
    })?;
    atomics::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().key_value
    })?;
    logging::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut GuestState| {
        &mut state.capabilities().logging
    })?;
    Ok(linker)
}
