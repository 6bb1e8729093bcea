//! A plugin as the runtime sees it: its code, its limits and its access to services.

use std::sync::Arc;

use crate::callback::model::Callback;
use crate::capability::access::Access;
use crate::capability::context::CallContext;
use crate::runtime::call::guest::Guest;
use crate::runtime::call::inline_hint::InlineHint;
use crate::runtime::code::Code;
use crate::runtime::code::imports::known_handlers;
use crate::runtime::code::runnable::MovableCode;
use crate::runtime::code::runnable::Runnable;
use crate::runtime::engine::GuestEngine;
use crate::runtime::handlers::Handlers;
use crate::runtime::instance_pool::InstancePool;
use crate::runtime::limits::Limits;
use crate::runtime::memory::MemoryBudget;
use crate::runtime::reuse::Reuse;
use crate::runtime::reuse::Tenants;

/// An operator's settings for the instances of a plugin.
#[derive(Clone, Copy, Debug)]
pub struct UnitConfig {
    /// Limits of one call.
    pub limits: Limits,
    /// The number of calls that an instance answers.
    pub reuse: Reuse,
    /// The tenants whose calls may share an instance.
    pub tenants: Tenants,
}

/// The code exports nothing that the host calls.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoHandler(String);

/// The part of a plugin that runs.
pub struct Unit {
    pub(super) code: MovableCode,
    /// The exported handlers. A call uses the indices of the code that it runs instead, because code may be moved.
    handlers: Handlers,
    pub(super) limits: Limits,
    pub(super) budget: MemoryBudget,
    pub(super) pool: InstancePool<Guest>,
    pub(super) hint: InlineHint,
    places: u32,
    pub(super) access: Arc<Access>,
}

impl Unit {
    /// A unit whose instances are kept once its pool is opened.
    pub fn new(
        engine: &GuestEngine,
        code: &Code,
        config: UnitConfig,
        access: Access,
    ) -> Result<Self, NoHandler> {
        let UnitConfig { limits, reuse, tenants } = config;
        let no_handler = || NoHandler(known_handlers(&code.linked));
        let runnable = Runnable::new(code).ok_or_else(no_handler)?;
        let idle_places = Arc::clone(&engine.idle_places);
        Ok(Self {
            code: MovableCode::new(runnable, Arc::clone(engine.loader.machines())),
            handlers: Handlers::find(&code.linked).ok_or_else(no_handler)?,
            limits,
            budget: engine.budget.clone(),
            pool: InstancePool::new(reuse, tenants, limits.calls, idle_places),
            hint: InlineHint::default(),
            places: engine.places(&code.linked),
            access: Arc::new(access),
        })
    }

    pub fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns how many of the host's places one call takes.
    pub fn places(&self) -> u32 {
        self.places
    }

    /// Returns the services that the plugin's guests may use.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Returns the interfaces that the code imports.
    pub fn imports(&self) -> Vec<String> {
        self.code.current().linked.imports()
    }

    /// Returns the bytes of the largest memory at the start of a call; `None` if wasmtime cannot tell.
    pub fn initial_memory(&self) -> Option<u64> {
        /// The size of a WebAssembly page.
        const PAGE_BYTES: u64 = 64 << 10;
        let needed = self.code.current().linked.resources()?;
        Some(needed.max_initial_memory_size? * PAGE_BYTES)
    }

    /// False for the command form, which runs from start to end for every callback.
    pub fn can_be_reused(&self) -> bool {
        self.handlers.command.is_none()
    }

    pub fn open_pool(&self) {
        self.pool.open();
    }

    /// Drops the idle instances and keeps none from now on.
    pub fn close_pool(&self) {
        self.pool.close();
    }

    /// Returns a kept or fresh instance that is ready for the call.
    pub(super) fn guest(&self, context: CallContext) -> Guest {
        match self.pool.take(context.callback.tenants()) {
            // A kept instance only finds its own data in its memory, even after swapping. But an instance of a machine that
            // was replaced must not keep that machine's pool alive.
            Some(guest) if Arc::ptr_eq(&guest.runnable, &self.code.current()) => {
                guest.again(&self.limits, context)
            }
            _ => self.fresh_guest(context),
        }
    }

    /// Returns an instance that no call has used.
    pub(super) fn fresh_guest(&self, context: CallContext) -> Guest {
        Guest::new(self.code.current(), &self.limits, &self.budget, context)
    }

    /// Begins a guest's call again with other code. The old instance and its memory are dropped.
    pub(super) fn run_instead(&self, guest: &mut Guest, runnable: Arc<Runnable>) {
        *guest = Guest::new(runnable, &self.limits, &self.budget, guest.take_context());
    }

    /// Keeps an instance after a call that ended well, if it may answer more calls and there is room.
    pub(super) fn keep(&self, mut guest: Guest, callback: &Callback) {
        guest.calls += 1;
        if self.can_be_reused() && guest.has_room_to_stay() {
            let calls = guest.calls;
            self.pool.put(guest, calls, callback.tenants(), self.places);
        }
    }
}
