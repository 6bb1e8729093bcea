//! The wasmtime engine, configured once, and the threads that guests run on.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::runtime::call::thread_sharing::long_turns;
use crate::runtime::code::linked::Linked;
use crate::runtime::code::loader::CodeLoader;
use crate::runtime::code_cache::CacheConfig;
use crate::runtime::code_cache::OpenCache;
use crate::runtime::compiler_pool::CompilerPool;
use crate::runtime::compiler_pool::CompilersError;
use crate::runtime::config::GuestsConfig;
use crate::runtime::machine::MEMORIES_PER_PLACE;
use crate::runtime::machine::TABLES_PER_PLACE;
use crate::runtime::machine::machines::Machines;
use crate::runtime::memory::MemoryBudget;
use crate::runtime::thread_priority::lower_priority;
use crate::setting::SettingError;

/// Plugins that are loaded at once, over all apps: while one is described, another is read. Each holds its file in memory and,
/// for a moment, a spare place.
const LOADED_AT_ONCE: usize = 4;
/// The interval at which the machine's watch is checked while no plugin is called, so that the next call need not wait for a
/// replacement.
const LOOK_AT_MACHINE: Duration = Duration::from_secs(1);

/// Niceness of guest threads, which puts them behind I/O. Without it, on a machine that is busy with other programs, timers of
/// the I/O threads were up to 50 ms late in one of a hundred cases; with it 10 ms. Twice as much was no better, and would
/// leave guests little of a shared machine.
const GUEST_NICENESS: i32 = 5;

/// Why the engine cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A number of the configuration is out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The guest threads could not be started.
    #[error("cannot start the threads that run guests: {0}")]
    Threads(#[from] std::io::Error),
    /// Compilers cannot be started.
    #[error(transparent)]
    Compilers(#[from] CompilersError),
    /// wasmtime refused its configuration, most often because there is too little address space for the pool.
    #[error("cannot set up the WebAssembly engine: {0}")]
    Engine(String),
}

/// Compiles, links and runs every plugin of the process.
pub struct GuestEngine {
    /// Loads the code of plugins.
    pub loader: Arc<CodeLoader>,
    pub(super) budget: MemoryBudget,
    /// Places of instances that are kept for another call. They are separate from those of calls, which are never occupied by
    /// a kept instance.
    pub(super) idle_places: Arc<Semaphore>,
    max_calls: u32,
    /// Permits for plugins that may be loaded at once.
    pub loading: Semaphore,
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
        let compilers = CompilerPool::start(config, cache.resolved())?;
        let cache = OpenCache::open(cache);
        let machines = Arc::new(Machines::new(config.max_calls).map_err(failed)?);
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads)
            .thread_name("guest")
            .on_thread_start(|| {
                lower_priority(GUEST_NICENESS);
                Engine::tls_eager_initialize();
            })
            // A guest that yields goes to the back of its thread's queue. New calls are in the global queue; checking it after
            // every task lets a healthy call overtake runaways.
            .global_queue_interval(1)
            .enable_time()
            .build()?;
        threads.spawn(look_after(Arc::downgrade(&machines)));
        Ok(Self {
            loader: Arc::new(CodeLoader::new(machines, cache, compilers)),
            idle_places: Arc::new(Semaphore::new(config.max_calls as usize)),
            budget: MemoryBudget::new(config.memory_bytes),
            max_calls: config.max_calls,
            loading: Semaphore::new(LOADED_AT_ONCE),
            long_turns: Arc::new(long_turns(config.threads)),
            threads: Some(threads),
        })
    }

    /// Waits until all compiled code is on disk. A process that ends before would lose code that the next one needs.
    pub async fn finish(&self) {
        self.loader.finish().await;
    }

    /// Returns how many of the places for calls one call of that plugin takes.
    pub(super) fn places(&self, linked: &Linked) -> u32 {
        let needed = linked.resources().map_or(self.max_calls, |needed| {
            let memories = needed.num_memories.div_ceil(MEMORIES_PER_PLACE);
            memories.max(needed.num_tables.div_ceil(TABLES_PER_PLACE))
        });
        needed.clamp(1, self.max_calls)
    }

    /// Returns the runtime of the guest threads.
    pub(super) fn threads(&self) -> &tokio::runtime::Handle {
        // Only `drop` takes the runtime.
        self.threads
            .as_ref()
            .map_or_else(|| unreachable!("the engine is being dropped"), |runtime| runtime.handle())
    }
}

impl Drop for GuestEngine {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which is not allowed in an async context. This does not wait for guests
        // that are still running.
        if let Some(runtime) = self.threads.take() {
            runtime.shutdown_background();
        }
    }
}

/// Replaces the machine when necessary, until the engine is dropped.
async fn look_after(machines: Weak<Machines>) {
    loop {
        tokio::time::sleep(LOOK_AT_MACHINE).await;
        let Some(machines) = machines.upgrade() else { return };
        if machines.must_be_replaced() {
            // A failure is logged, and the next check tries again.
            let _ = tokio::task::spawn_blocking(move || machines.safe().map(drop)).await;
        }
    }
}
