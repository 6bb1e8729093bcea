//! The current machine, and its replacement once its way of wiping memory is not safe any more.
//!
//! A machine that scans the page map is replaced as soon as memory of this process may have been swapped out. The last check
//! is made just before guest code first runs in memory that another instance may have had: an instance that could find data
//! there never runs.

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

/// The current machine, and the means to make another.
pub(in crate::runtime) struct Machines {
    max_calls: u32,
    current: ArcSwap<Linkers>,
    replacing: Mutex<()>,
}

impl Machines {
    /// Starts with a machine that scans the page map, if that is possible and safe.
    pub(in crate::runtime) fn new(max_calls: u32) -> wasmtime::Result<Self> {
        let can_scan = PoolingAllocationConfig::is_pagemap_scan_available();
        let watch = if can_scan { SwapWatch::begin() } else { None };
        if can_scan && watch.is_none() {
            tracing::warn!(advice = ADVICE, "{MEMORY_MAY_BE_SWAPPED}");
        }
        let current = ArcSwap::from_pointee(linked(max_calls, watch)?);
        Ok(Self { max_calls, current, replacing: Mutex::new(()) })
    }

    /// Returns the linkers of the current machine.
    pub(in crate::runtime) fn current(&self) -> Arc<Linkers> {
        self.current.load_full()
    }

    /// Returns the linkers of a machine that does not leak, and makes one if necessary. That takes milliseconds, so it must
    /// not run on an I/O thread.
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
                "runtime: memory may be swapped out and no other engine can be made, restart the host"
            );
        })?;
        self.current.store(Arc::clone(&safe));
        tracing::warn!(advice = ADVICE, "{SWAP_CAME_ON}");
        Ok(safe)
    }

    /// True if the current machine has to be replaced. Checks more than a call has time for.
    pub(in crate::runtime) fn must_be_replaced(&self) -> bool {
        self.current.load().machine.may_leak_looking_closely()
    }
}

fn linked(max_calls: u32, watch: Option<SwapWatch>) -> wasmtime::Result<Linkers> {
    Linkers::new(Machine::new(max_calls, watch)?)
}
