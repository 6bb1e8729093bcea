//! The store and instance of a call, with the limits of that call.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::Instance;

use crate::capability::context::CallContext;
use crate::runtime::call::CallData;
use crate::runtime::call::command_input::CommandInput;
use crate::runtime::call::host_call_hook::HostCallHook;
use crate::runtime::call::state::GuestState;
use crate::runtime::call::state::Wasi;
use crate::runtime::code::runnable::Runnable;
use crate::runtime::limits::Limits;
use crate::runtime::memory::InstanceLimiter;
use crate::runtime::memory::MemoryBudget;

/// Fuel between two yields: one core burns it in a tenth to a fifth of a millisecond. So a runaway never holds a thread for
/// longer, and a healthy call that waits behind a hundred of them still gets its turn within ten milliseconds.
pub(in crate::runtime) const YIELD_INTERVAL: u64 = 2_000_000;

/// An instance with its store, during a call or between two calls.
pub(in crate::runtime) struct Guest {
    pub(in crate::runtime) store: Store<GuestState>,
    /// `None` until the first call.
    pub(in crate::runtime) instance: Option<Instance>,
    /// Calls that the instance has answered.
    pub(in crate::runtime) calls: u32,
    pub(in crate::runtime) runnable: Arc<Runnable>,
}

impl Guest {
    /// Makes a guest for its first call.
    pub(in crate::runtime) fn new(
        runnable: Arc<Runnable>,
        limits: &Limits,
        budget: &MemoryBudget,
        context: CallContext,
    ) -> Self {
        let wasi = match runnable.handlers.command {
            None => Wasi::new(limits.log_bytes, &context.tape),
            Some(_) => {
                let input = CommandInput::new(&context, limits.reply_bytes);
                Wasi::command(limits.log_bytes, input, &context.tape)
            }
        };
        let state = GuestState {
            wasi,
            limiter: InstanceLimiter::new(limits.memory_bytes, budget.clone()),
            call: None,
            machine: Arc::clone(&runnable.machine),
        };
        let mut store = Store::new(&runnable.machine.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.call_hook_async(HostCallHook::new(limits.reply_bytes));
        // Setting the interval fails only if fuel is off in the engine's configuration, and it is always on.
        store
            .fuel_async_yield_interval(Some(YIELD_INTERVAL))
            .unwrap_or_else(|error| unreachable!("fuel is on: {error}"));
        let mut guest = Self { store, instance: None, calls: 0, runnable };
        guest.begin_call(limits, context);
        guest
    }

    /// Begins another call in the same instance.
    pub(in crate::runtime) fn again(mut self, limits: &Limits, context: CallContext) -> Self {
        self.store.data().wasi.begin_call(&context.tape);
        self.begin_call(limits, context);
        self
    }

    /// Takes the context out of the current call, so that the call can begin again elsewhere.
    pub(in crate::runtime) fn take_context(&mut self) -> CallContext {
        match self.store.data_mut().call.take() {
            Some(call) => call.into_context(),
            None => unreachable!("it is exchanged during a call"),
        }
    }

    /// True if the memory is small enough for the guest to be kept for another call.
    pub(in crate::runtime) fn has_room_to_stay(&self) -> bool {
        self.store.data().limiter.has_room_to_stay()
    }

    /// Starts a call with fresh limits.
    fn begin_call(&mut self, limits: &Limits, context: CallContext) {
        let state = self.store.data_mut();
        state.limiter.begin_call();
        state.call = Some(CallData::begin(context));
        // Fuel is on, as in `new`.
        self.store
            .set_fuel(limits.fuel)
            .unwrap_or_else(|error| unreachable!("fuel is on: {error}"));
    }
}
