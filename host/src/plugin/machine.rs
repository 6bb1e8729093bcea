//! A wasmtime engine with its pool of memories and its linkers, and its replacement once its way of wiping memory is not
//! safe any more.
//!
//! How memory is wiped between two instances is fixed when an engine is made. Scanning the page map is the fast way, and
//! misses pages that are swapped out; so a machine that scans is left for another one as soon as memory of this process may
//! have been swapped out. What is checked last is the moment before guest code runs for the first time in memory that
//! another instance may have had: an instance that could find something there never runs.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use arc_swap::ArcSwap;
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
use crate::plugin::limits::MAX_CORE_INSTANCES;
use crate::plugin::limits::MAX_MEMORIES;
use crate::plugin::limits::MAX_MEMORY_BYTES;
use crate::plugin::limits::MAX_TABLE_ELEMENTS;
use crate::plugin::limits::MAX_TABLES;
use crate::plugin::state::GuestState;
use crate::plugin::swap::ADVICE;
use crate::plugin::swap::SwapWatch;
use crate::telemetry::events::MEMORY_MAY_BE_SWAPPED;
use crate::telemetry::events::SWAP_CAME_ON;

/// Pages that an instance touched stay mapped for the next one up to this size: page faults, not instantiation, are
/// what a fresh instance costs.
const KEEP_RESIDENT: usize = 64 * 1024 * 1024;
/// The same where the page map is not scanned. Then the beginning of each memory is wiped whether a guest wrote to it or
/// not, and the rest is given back.
const KEEP_RESIDENT_UNSCANNED: usize = 0;
/// The same for tables, whatever their size. Given back, each of a small guest's two cost every call a system call and a
/// page fault.
const KEEP_TABLES_RESIDENT: usize = MAX_TABLE_ELEMENTS * size_of::<usize>();
/// Memories and tables for each place among the calls under way. A component that brings more takes several places.
pub(super) const MEMORIES_PER_PLACE: u32 = 2;
/// Likewise; an element of a table is a pointer that is reserved, not used.
pub(super) const TABLES_PER_PLACE: u32 = 4;
/// Places apart from those of calls, for plugins that say what they are while they are loaded, and for the largest
/// component on the smallest host.
const SPARE_PLACES: u32 = 8;
/// Of those, memories are fewer, because each reserves four gigabytes of addresses: two for each plugin that is described,
/// and two more, so that the largest component has its eight on the smallest host. That host fits into 64 GiB, which is
/// what valgrind has for a program.
const SPARE_MEMORIES: u32 = 10;
/// Bookkeeping of one instance; wasmtime's default is too small for the largest runtimes.
const INSTANCE_BYTES: usize = 4 * 1024 * 1024;

/// Guest code was about to run in memory that may hold what another instance left.
#[derive(Debug, thiserror::Error)]
#[error("memory may have been swapped out since the engine was made")]
pub(super) struct StaleMemory;

/// An engine and what belongs to it. Linked code is good for one machine.
pub(super) struct Machine {
    pub(super) engine: Engine,
    pub(super) linker: Linker<GuestState>,
    /// For programs of WASI preview 1.
    pub(super) program_linker: wasmtime::Linker<GuestState>,
    /// Present where the page map is scanned.
    watch: Option<SwapWatch>,
}

impl Machine {
    fn new(max_calls: u32, watch: Option<SwapWatch>) -> wasmtime::Result<Self> {
        let engine = Engine::new(&engine_config(max_calls, watch.is_some()))?;
        let (linker, program_linker) = (link(&engine)?, link_programs(&engine)?);
        Ok(Self { engine, linker, program_linker, watch })
    }

    /// Whether an instance that is made now may find what another one left. Takes up to half a microsecond.
    pub(super) fn may_leak(&self) -> bool {
        self.watch.as_ref().is_some_and(SwapWatch::is_broken)
    }
}

/// The machine of the moment, and how another one is made.
pub(super) struct Machines {
    max_calls: u32,
    current: ArcSwap<Machine>,
    replacing: Mutex<()>,
}

impl Machines {
    /// Begins with a machine that scans, where that is possible and safe.
    pub(super) fn new(max_calls: u32) -> wasmtime::Result<Self> {
        let can_scan = PoolingAllocationConfig::is_pagemap_scan_available();
        let watch = if can_scan { SwapWatch::begin() } else { None };
        if can_scan && watch.is_none() {
            tracing::warn!(advice = ADVICE, "{MEMORY_MAY_BE_SWAPPED}");
        }
        let current = ArcSwap::from_pointee(Machine::new(max_calls, watch)?);
        Ok(Self { max_calls, current, replacing: Mutex::new(()) })
    }

    pub(super) fn current(&self) -> Arc<Machine> {
        self.current.load_full()
    }

    /// One that does not leak, which is made if there is none. That takes milliseconds: not for an I/O thread.
    pub(super) fn safe(&self) -> wasmtime::Result<Arc<Machine>> {
        let _turn = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current();
        if !current.may_leak() {
            return Ok(current);
        }
        let safe = Machine::new(self.max_calls, None).map(Arc::new).inspect_err(|error| {
            let reason = format!("{error:#}");
            tracing::error!(
                reason,
                "memory may be swapped out, and no other engine can be made: restart the host"
            );
        })?;
        self.current.store(Arc::clone(&safe));
        tracing::warn!(advice = ADVICE, "{SWAP_CAME_ON}");
        Ok(safe)
    }

    /// Whether the machine of the moment has to be replaced. Looks more closely than a call can.
    pub(super) fn must_be_replaced(&self) -> bool {
        let current = self.current.load();
        current.watch.as_ref().is_some_and(SwapWatch::is_broken_looking_closely)
    }
}

fn engine_config(max_calls: u32, scans: bool) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // As many instances may wait for another call as there are calls.
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

/// Everything that shows in machine code: what a compiler makes with these settings runs in an engine that adds a pool to them.
pub(super) fn code_settings() -> Config {
    let mut config = Config::new();
    config
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
