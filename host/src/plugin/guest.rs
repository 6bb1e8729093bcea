//! What a call runs in: a store with the limits and the capabilities of that call, and the instance inside it.

use std::sync::Arc;

use tokio::runtime::Handle;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::callback::model::Callback;
use crate::capability::deferred::DeferredCtx;
use crate::capability::http::HttpCtx;
use crate::capability::http::HttpWay;
use crate::capability::key_value::Buckets;
use crate::capability::key_value::KeyValueCtx;
use crate::capability::logging::LogTag;
use crate::capability::logging::LoggingCtx;
use crate::capability::open_api::OpenApiCtx;
use crate::capability::request::RequestCtx;
use crate::capability::sealed_values::SealedValuesCtx;
use crate::deadline::Deadline;
use crate::journal::tape::Tape;
use crate::plugin::command::Given;
use crate::plugin::limits::InstanceLimiter;
use crate::plugin::meter::Meter;
use crate::plugin::meter::Turn;
use crate::plugin::registry::Plugin;
use crate::plugin::state::CallState;
use crate::plugin::state::GuestState;
use crate::plugin::state::Wasi;

/// Fuel between two yields: a tenth to a fifth of a millisecond of one core, so that a runaway never holds a thread for
/// longer, and a healthy call that is behind a hundred of them still gets its turn within ten milliseconds.
pub(super) const YIELD_INTERVAL: u64 = 2_000_000;

/// What a call gets at.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    /// What the operator granted.
    AsGranted,
    /// Nothing beyond this host and this call: it is only a try.
    Nothing,
}

/// A call that something is made ready for.
pub(super) struct Occasion<'a> {
    pub(super) plugin: &'a Plugin,
    pub(super) callback: &'a Callback,
    pub(super) deadline: Deadline,
    /// Where I/O is done for it.
    pub(super) io: Handle,
    pub(super) reach: Reach,
    pub(super) tape: &'a Tape,
}

/// An instance between two calls, or during one.
pub(super) struct Guest {
    pub(super) store: Store<GuestState>,
    /// Absent until its first call.
    pub(super) instance: Option<Instance>,
    /// Calls that it has answered.
    pub(super) calls: u32,
}

impl Guest {
    /// One that no call has used.
    pub(super) fn fresh(occasion: Occasion<'_>) -> Self {
        let Occasion { plugin, tape, .. } = &occasion;
        let log_bytes = plugin.limits.log_bytes;
        let wasi = match plugin.handlers.command {
            None => Wasi::new(log_bytes, tape),
            Some(_) => Wasi::command(log_bytes, occasion.given(), tape),
        };
        let state = GuestState {
            wasi,
            limiter: InstanceLimiter::new(plugin.limits.memory_bytes, plugin.budget.clone()),
            turn: Turn::begin(),
            call: None,
        };
        let mut store = Store::new(plugin.code.linked.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.call_hook_async(Meter::new(plugin.limits.reply_bytes));
        // Fails only where fuel is switched off in the engine, and it never is.
        store
            .fuel_async_yield_interval(Some(YIELD_INTERVAL))
            .unwrap_or_else(|error| unreachable!("fuel is on: {error}"));
        let mut guest = Self { store, instance: None, calls: 0 };
        guest.begin_call(occasion);
        guest
    }

    /// The same for its next call.
    pub(super) fn again(mut self, occasion: Occasion<'_>) -> Self {
        self.store.data().wasi.begin_call(occasion.tape);
        self.begin_call(occasion);
        self
    }

    /// All limits of a call begin anew with it.
    fn begin_call(&mut self, occasion: Occasion<'_>) {
        let fuel = occasion.plugin.limits.fuel;
        let state = self.store.data_mut();
        state.limiter.begin_call();
        state.turn = Turn::begin();
        state.call = Some(occasion.call_state());
        // As in `fresh`.
        self.store.set_fuel(fuel).unwrap_or_else(|error| unreachable!("fuel is on: {error}"));
    }
}

impl<'a> Occasion<'a> {
    /// Of a try: it gets at nothing.
    pub(super) fn tried(
        plugin: &'a Plugin,
        callback: &'a Callback,
        deadline: Deadline,
        io: Handle,
        tape: &'a Tape,
    ) -> Self {
        Self { plugin, callback, deadline, io, reach: Reach::Nothing, tape }
    }

    fn call_state(self) -> CallState {
        let tag = self.log_tag();
        let sealed_values = self.sealed_values();
        let Self { plugin, callback, deadline, io, reach, tape } = self;
        let has_card = callback.card_action().is_some_and(|card| !card.update_token.is_empty());
        let (access, buckets, way) = match reach {
            Reach::AsGranted => {
                (Some(Arc::clone(&plugin.open_api)), plugin.buckets.clone(), plugin.http.clone())
            }
            Reach::Nothing => (None, Buckets::default(), HttpWay::Nowhere),
        };
        let tenant = callback.tenant_key().to_owned();
        let open_api = OpenApiCtx::new(access, tenant, deadline, io.clone(), tape.clone());
        CallState {
            request: RequestCtx::new(callback.raw(), deadline, tape.clone()),
            deferred: DeferredCtx::new(has_card),
            open_api,
            config: plugin.settings.clone(),
            http: HttpCtx::new(
                way,
                plugin.destinations.clone(),
                deadline,
                io.clone(),
                tag.clone(),
                plugin.settings.clone(),
                tape.clone(),
            ),
            key_value: KeyValueCtx::new(plugin.store.clone(), buckets, deadline, io, tape.clone()),
            sealed_values,
            logging: LoggingCtx::new(tag, plugin.limits.log_bytes, plugin.settings.clone()),
        }
    }

    fn given(&self) -> Given<'_> {
        Given {
            name: &self.plugin.name,
            environment: self.plugin.settings.pairs().collect(),
            remaining_ms: self.tape.remaining_ms(self.deadline.remaining_ms()),
            input: self.callback.raw().without_secrets(),
            reply_bytes: self.plugin.limits.reply_bytes,
        }
    }

    fn sealed_values(&self) -> SealedValuesCtx {
        let (app, name) = (Arc::clone(&self.plugin.app), Arc::clone(&self.plugin.name));
        let key = self.plugin.seal_key.clone();
        SealedValuesCtx::new(key, app, name, self.callback, self.tape.clone())
    }

    fn log_tag(&self) -> LogTag {
        LogTag {
            app: Arc::clone(&self.plugin.app),
            plugin: Arc::clone(&self.plugin.name),
            version: Arc::clone(&self.plugin.version),
            event_id: self.callback.header.event_id.as_deref().unwrap_or_default().into(),
        }
    }
}
