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

/// Plugins that are loaded at once, over all apps: while one is described, another is read. Each holds its file in
/// memory and, for a moment, a spare place.
const LOADED_AT_ONCE: usize = 4;
/// How often the machine is looked at when nobody calls a plugin, so that the next call need not wait for another one.
const LOOK_AT_MACHINE: Duration = Duration::from_secs(1);

/// How far guests stand behind I/O in the queue for a core. Without it, on a machine that is busy with other things,
/// timers of the I/O threads were up to 50 ms late in one of a hundred cases; with it 10 ms. Twice as much was no better,
/// and would leave guests little of a machine that others use too.
const GUEST_NICENESS: i32 = 5;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A number out of its range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The threads could not be started.
    #[error("cannot start the threads that run guests: {0}")]
    Threads(#[from] std::io::Error),
    /// Compilers cannot be started.
    #[error(transparent)]
    Compilers(#[from] CompilersError),
    /// wasmtime refused its configuration: most often too little address space for the pool.
    #[error("cannot set up the WebAssembly engine: {0}")]
    Engine(String),
}

/// What compiles, links and runs every plugin of the process.
pub struct GuestEngine {
    /// Has the code of plugins.
    pub loader: Arc<CodeLoader>,
    pub(super) budget: MemoryBudget,
    /// For instances that wait for another call. They have places of their own: calls never find theirs taken.
    pub(super) idle_places: Arc<Semaphore>,
    max_calls: u32,
    /// How many more plugins may be loaded at the moment.
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
            // A guest that yields goes to the back of its thread's queue; looking at the queue of new calls after
            // every one of them is what lets a healthy call overtake the runaways.
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

    /// Until everything that was compiled is on disk, for a process that would end before: it would be lost to the next one.
    pub async fn finish(&self) {
        self.loader.finish().await;
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

/// Replaces the machine when that is due, for as long as there is one.
async fn look_after(machines: Weak<Machines>) {
    loop {
        tokio::time::sleep(LOOK_AT_MACHINE).await;
        let Some(machines) = machines.upgrade() else { return };
        if machines.must_be_replaced() {
            // A failure is in the log, and the next look tries again.
            let _ = tokio::task::spawn_blocking(move || machines.safe().map(drop)).await;
        }
    }
}
