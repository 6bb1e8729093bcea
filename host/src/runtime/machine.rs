//! A wasmtime engine with its pool of memories.
//!
//! The way in which memory is wiped between two instances is fixed when an engine is made. Scanning the page map is the fast
//! way, and misses pages that are swapped out. So a machine that scans also watches whether memory of this process may have
//! been swapped out.

pub(in crate::runtime) mod linkers;
pub(in crate::runtime) mod machines;
pub mod swap;

use wasmtime::Config;
use wasmtime::Enabled;
use wasmtime::Engine;
use wasmtime::PoolingAllocationConfig;

use crate::runtime::limits::MAX_CORE_INSTANCES;
use crate::runtime::limits::MAX_MEMORIES;
use crate::runtime::limits::MAX_MEMORY_BYTES;
use crate::runtime::limits::MAX_TABLE_ELEMENTS;
use crate::runtime::limits::MAX_TABLES;
use crate::runtime::machine::swap::SwapWatch;

/// Bytes of an instance's memory that stay mapped for the next one: page faults, not instantiation, are the cost of a fresh
/// instance.
const KEEP_RESIDENT: usize = 64 * 1024 * 1024;
/// The same where the page map is not scanned. Then the beginning of each memory would be wiped whether a guest wrote to it or
/// not, so all of it is given back to the system.
const KEEP_RESIDENT_UNSCANNED: usize = 0;
/// Bytes of a table that stay mapped: all of it. If they were given back, each of a small guest's two tables would cost every
/// call a system call and a page fault.
const KEEP_TABLES_RESIDENT: usize = MAX_TABLE_ELEMENTS * size_of::<usize>();
/// Memories in the pool for each call under way. A component with more takes several places.
pub(super) const MEMORIES_PER_PLACE: u32 = 2;
/// Tables in the pool for each call under way. Table elements are pointers that are reserved, not used.
pub(super) const TABLES_PER_PLACE: u32 = 4;
/// Places besides those of calls: for plugins that are described while they are loaded, and for the largest component on the
/// smallest host.
const SPARE_PLACES: u32 = 8;
/// Memories in those spare places. There are fewer, because each reserves four gigabytes of addresses: two for each plugin
/// that is described, and two more, so that the largest component has its eight on the smallest host. That host fits into 64
/// GiB, which is what valgrind has for a program.
const SPARE_MEMORIES: u32 = 10;
/// Bytes for the bookkeeping of one instance. wasmtime's default is too small for the largest runtimes.
const INSTANCE_BYTES: usize = 4 * 1024 * 1024;

/// Guest code was about to run in memory that may hold data of another instance.
#[derive(Debug, thiserror::Error)]
#[error("memory may have been swapped out since the engine was made")]
pub(super) struct StaleMemory;

/// An engine, and the watch for swapping. Linked code is valid for one machine.
pub(super) struct Machine {
    pub(super) engine: Engine,
    /// `Some` if the page map is scanned.
    watch: Option<SwapWatch>,
}

impl Machine {
    /// Makes a machine whose pool has a place for each of so many calls. It scans the page map if there is a watch.
    pub(super) fn new(max_calls: u32, watch: Option<SwapWatch>) -> wasmtime::Result<Self> {
        let engine = Engine::new(&engine_config(max_calls, watch.is_some()))?;
        Ok(Self { engine, watch })
    }

    /// True if a new instance may find data of another one in its memory. Takes up to half a microsecond.
    pub(super) fn may_leak(&self) -> bool {
        self.watch.as_ref().is_some_and(SwapWatch::is_broken)
    }

    /// Like `may_leak`, with a check that is too slow for every call.
    pub(super) fn may_leak_looking_closely(&self) -> bool {
        self.watch.as_ref().is_some_and(SwapWatch::is_broken_looking_closely)
    }
}

fn engine_config(max_calls: u32, scans: bool) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // As many instances may be kept for another call as there are calls.
    let places = max_calls * 2;
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
        .linear_memory_keep_resident(if scans { KEEP_RESIDENT } else { KEEP_RESIDENT_UNSCANNED })
        .table_keep_resident(KEEP_TABLES_RESIDENT)
        .pagemap_scan(if scans { Enabled::Yes } else { Enabled::No });
    let mut config = code_settings();
    config.allocation_strategy(pool);
    config
}

/// The settings that affect machine code. A compiler's engine has only these, and the host's adds a pool.
pub(super) fn code_settings() -> Config {
    let mut config = Config::new();
    config
        .memory_init_cow(true)
        .consume_fuel(true)
        // For debuggers and profilers only: where in the file each instruction came from, and how to walk a stack without
        // frame pointers. Both would be compiled, written, checked and loaded with every plugin.
        .generate_address_map(false)
        .native_unwind_info(false)
        // An instance runs one call at a time. The machinery for more would cost time in each call.
        .concurrency_support(false);
    config
}
