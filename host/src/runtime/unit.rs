//! What a plugin is to the runtime: its code, the limits of its calls and what they may reach.

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

/// What an operator says about the instances of a plugin.
#[derive(Clone, Copy, Debug)]
pub struct UnitConfig {
    /// What one call may use up.
    pub limits: Limits,
    /// How many calls an instance answers.
    pub reuse: Reuse,
    /// Whose calls an instance may answer.
    pub tenants: Tenants,
}

/// The code exports nothing that the host calls.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoHandler(String);

/// The part of a plugin that runs.
pub struct Unit {
    pub(super) code: MovableCode,
    /// What the plugin exports. A call finds its handler by the code that it runs.
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

    /// What the plugin exports.
    pub fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    /// What one call may use up.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many of the host's places one call takes.
    pub fn places(&self) -> u32 {
        self.places
    }

    /// What the plugin's guests may reach.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The interfaces that the code imports.
    pub fn imports(&self) -> Vec<String> {
        self.code.current().linked.imports()
    }

    /// Bytes of the largest memory before a call has done anything, where that can be told.
    pub fn initial_memory(&self) -> Option<u64> {
        /// WebAssembly counts in these.
        const PAGE_BYTES: u64 = 64 << 10;
        let needed = self.code.current().linked.resources()?;
        Some(needed.max_initial_memory_size? * PAGE_BYTES)
    }

    /// A program begins anew with every callback; everything else may answer several.
    pub fn can_be_reused(&self) -> bool {
        self.handlers.command.is_none()
    }

    /// Keeps instances from now on.
    pub fn open_pool(&self) {
        self.pool.open();
    }

    /// Drops the idle instances and keeps none from now on.
    pub fn close_pool(&self) {
        self.pool.close();
    }

    /// An instance that an earlier call left, or a fresh one, ready for a call.
    pub(super) fn guest(&self, context: CallContext) -> Guest {
        match self.pool.take(context.callback.tenants()) {
            // Its memory holds what it wrote itself, whatever was swapped out. But what runs elsewhere by now shall not
            // keep the pool of another machine.
            Some(guest) if Arc::ptr_eq(&guest.runnable, &self.code.current()) => {
                guest.again(&self.limits, context)
            }
            _ => self.fresh_guest(context),
        }
    }

    /// An instance that no call has used.
    pub(super) fn fresh_guest(&self, context: CallContext) -> Guest {
        Guest::new(self.code.current(), &self.limits, &self.budget, context)
    }

    /// Begins the call of a guest again with other code. What the guest had of it until now is lost.
    pub(super) fn run_instead(&self, guest: &mut Guest, runnable: Arc<Runnable>) {
        *guest = Guest::new(runnable, &self.limits, &self.budget, guest.take_context());
    }

    /// Keeps an instance after a call that ended well, if there is still use and room for it.
    pub(super) fn keep(&self, mut guest: Guest, callback: &Callback) {
        guest.calls += 1;
        if self.can_be_reused() && guest.has_room_to_stay() {
            let calls = guest.calls;
            self.pool.put(guest, calls, callback.tenants(), self.places);
        }
    }
}
