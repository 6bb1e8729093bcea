//! The wasmtime engine, configured once, and the threads that guests run on.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::plugin::code::CodeInUse;
use crate::plugin::code_cache::CacheConfig;
use crate::plugin::code_cache::CodeCache;
use crate::plugin::code_cache::OpenCache;
use crate::plugin::compilers::Compilers;
use crate::plugin::compilers::CompilersError;
use crate::plugin::limits::MemoryBudget;
use crate::plugin::linked::Linked;
use crate::plugin::machine::MEMORIES_PER_PLACE;
use crate::plugin::machine::Machine;
use crate::plugin::machine::Machines;
use crate::plugin::machine::TABLES_PER_PLACE;
use crate::plugin::priority::step_back;
use crate::plugin::turns::long_turns;
use crate::setting::Section;
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
    /// Threads that compile one plugin, 1 to 64. They are in a process of their own, and come after those that do I/O and
    /// run guests.
    pub compile_threads: usize,
    /// Memory that compiling one plugin may take. One plugin that takes long and three that do not are compiled at once, so
    /// up to four times as much is in use.
    pub compile_memory_bytes: u64,
    /// Processor time that compiling one plugin may take, 1 to 86400 seconds, all threads together.
    pub compile_secs: u64,
    /// How long a start waits for plugins before the doors open without them, 0 to 3600 seconds.
    pub start_wait_secs: u64,
}

/// What a small machine can give away for some minutes; mimalloc takes some of it without using it. Four times what a module of
/// 900 kB needs whose compilation takes seconds.
const COMPILE_MEMORY_BYTES: u64 = 2 << 30;
/// The least with which a compiler can begin and answer.
const LEAST_COMPILE_MEMORY_BYTES: u64 = 64 << 20;
/// Five times what StarlingMonkey takes the first time, for machines that are slower.
const COMPILE_SECS: u64 = 120;
/// As long as the largest runtime takes the first time on one core. A restart finds it compiled and takes a second.
const START_WAIT_SECS: u64 = 30;

impl Default for GuestsConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            threads: cores,
            max_calls: 128,
            max_waiting: 1024,
            memory_bytes: 2 << 30,
            compile_threads: cores.div_ceil(2),
            compile_memory_bytes: COMPILE_MEMORY_BYTES,
            compile_secs: COMPILE_SECS,
            start_wait_secs: START_WAIT_SECS,
        }
    }
}

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

impl GuestsConfig {
    /// Checks the numbers.
    pub fn validate(&self) -> Result<(), SettingError> {
        let section = Section("guests");
        section.in_range("threads", self.threads, 1..=256)?;
        section.in_range("max_calls", self.max_calls, 1..=1000)?;
        section.in_range("max_waiting", self.max_waiting, 1..=100_000)?;
        section.in_range("memory_bytes", self.memory_bytes, 1..=usize::MAX)?;
        section.in_range("compile_threads", self.compile_threads, 1..=64)?;
        section.in_range("compile_secs", self.compile_secs, 1..=86_400)?;
        // No wait at all is a choice, too.
        section.in_range("start_wait_secs", self.start_wait_secs, 0..=3600)?;
        section
            .at_least("compile_memory_bytes", self.compile_memory_bytes, LEAST_COMPILE_MEMORY_BYTES)
            .map_err(|error| {
                let problem = format!("{}, with which no compiler can begin", error.problem);
                SettingError::new(error.key, problem)
            })
    }

    /// How long a start waits for plugins.
    pub fn start_wait(&self) -> Duration {
        Duration::from_secs(self.start_wait_secs)
    }
}

/// What compiles, links and runs every plugin of the process.
pub struct GuestEngine {
    pub(super) machines: Arc<Machines>,
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
        let compilers = Compilers::start(config, cache.resolved())?;
        let cache = OpenCache::open(cache);
        let machines = Arc::new(Machines::new(config.max_calls).map_err(failed)?);
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
        threads.spawn(look_after(Arc::downgrade(&machines)));
        Ok(Self {
            cache: cache.with(&machines.current().engine),
            in_use: CodeInUse::default(),
            idle_places: Arc::new(Semaphore::new(config.max_calls as usize)),
            machines,
            budget: MemoryBudget::new(config.memory_bytes),
            max_calls: config.max_calls,
            compilers,
            loading: Semaphore::new(LOADED_AT_ONCE),
            long_turns: Arc::new(long_turns(config.threads)),
            threads: Some(threads),
        })
    }

    /// What code is to be linked for.
    pub(super) fn machine(&self) -> Arc<Machine> {
        self.machines.current()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_on_compilers_are_checked() {
        let refused = |text: &str| {
            toml::from_str::<GuestsConfig>(text).unwrap().validate().unwrap_err().to_string()
        };
        assert!(refused("compile_secs = 0").contains("guests.compile_secs: 0 is not between 1"));
        assert!(refused("start_wait_secs = 3601").contains("guests.start_wait_secs: 3601"));
        let small = refused("compile_memory_bytes = 1000");
        assert!(small.contains("guests.compile_memory_bytes: 1000 is less than 67108864"));
        GuestsConfig { start_wait_secs: 0, ..GuestsConfig::default() }.validate().unwrap();
    }
}
