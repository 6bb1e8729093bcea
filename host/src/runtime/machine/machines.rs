//! The machine that calls run on at the moment, and its replacement once its way of wiping memory is not safe any more.
//!
//! A machine that scans the page map is left for another one as soon as memory of this process may have been swapped out.
//! What is checked last is the moment before guest code runs for the first time in memory that another instance may have
//! had: an instance that could find something there never runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aviary_state::Mutex;
use wasmtime::PoolingAllocationConfig;

use crate::runtime::machine::Machine;
use crate::runtime::machine::linkers::Linkers;
use crate::runtime::machine::swap::ADVICE;
use crate::runtime::machine::swap::SwapWatch;
use crate::telemetry::events::MEMORY_MAY_BE_SWAPPED;
use crate::telemetry::events::SWAP_CAME_ON;

/// The machine of the moment, and how another one is made.
pub(in crate::runtime) struct Machines {
    max_calls: u32,
    current: ArcSwap<Linkers>,
    replacing: Mutex<()>,
}

impl Machines {
    /// Begins with a machine that scans, where that is possible and safe.
    pub(in crate::runtime) fn new(max_calls: u32) -> wasmtime::Result<Self> {
        let can_scan = PoolingAllocationConfig::is_pagemap_scan_available();
        let watch = if can_scan { SwapWatch::begin() } else { None };
        if can_scan && watch.is_none() {
            tracing::warn!(advice = ADVICE, "{MEMORY_MAY_BE_SWAPPED}");
        }
        let current = ArcSwap::from_pointee(linked(max_calls, watch)?);
        Ok(Self { max_calls, current, replacing: Mutex::new(()) })
    }

    /// What code is to be linked with.
    pub(in crate::runtime) fn current(&self) -> Arc<Linkers> {
        self.current.load_full()
    }

    /// The linkers of a machine that does not leak, which is made if there is none. That takes milliseconds: not for an I/O
    /// thread.
    pub(in crate::runtime) fn safe(&self) -> wasmtime::Result<Arc<Linkers>> {
        let _turn = self.replacing.lock();
        let current = self.current();
        if !current.machine.may_leak() {
            return Ok(current);
        }
        let safe = linked(self.max_calls, None).map(Arc::new).inspect_err(|error| {
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
    pub(in crate::runtime) fn must_be_replaced(&self) -> bool {
        self.current.load().machine.may_leak_looking_closely()
    }
}

fn linked(max_calls: u32, watch: Option<SwapWatch>) -> wasmtime::Result<Linkers> {
    Linkers::new(Machine::new(max_calls, watch)?)
}
