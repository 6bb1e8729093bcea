//! One call: an instance, a budget, an answer. A store ends with its call, unless the call ended well and its operator wants
//! the instance kept for another.

pub(super) mod describe;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wasmtime::PoolConcurrencyLimitError;
use wasmtime::Store;
use wasmtime::Trap;
use wasmtime::WasmBacktrace;

use crate::bindings::lark::callback::types;
use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::reply::RawReply;
use crate::callback::reply::Toast;
use crate::capability::config::ConfigCtx;
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
use crate::deadline::DeadlineConfig;
use crate::journal::tape::Tape;
use crate::plugin::breaker::Change;
use crate::plugin::breaker::Pass;
use crate::plugin::breaker::Verdict;
use crate::plugin::command;
use crate::plugin::command::Command;
use crate::plugin::command::Given;
use crate::plugin::course::Course;
use crate::plugin::engine::GuestEngine;
use crate::plugin::kept::Guest;
use crate::plugin::lift;
use crate::plugin::limits::InstanceLimiter;
use crate::plugin::limits::Refused;
use crate::plugin::linked::Linked;
use crate::plugin::lower;
use crate::plugin::meter::Meter;
use crate::plugin::meter::Turn;
use crate::plugin::registry::Plugin;
use crate::plugin::running::RunningCall;
use crate::plugin::state::CallState;
use crate::plugin::state::GuestState;
use crate::plugin::state::Wasi;
use crate::plugin::turns::take_turns;

/// Fuel between two yields: a tenth to a fifth of a millisecond of one core, so that a runaway never holds a thread for
/// longer, and a healthy call that is behind a hundred of them still gets its turn within ten milliseconds.
pub(super) const YIELD_INTERVAL: u64 = 2_000_000;

/// How a call ended.
#[derive(Debug)]
pub struct CallReport {
    /// What the handler returned, or why it did not.
    pub result: Result<RawReply, CallError>,
    /// Units used.
    pub fuel: u64,
    /// Cards to show once the answer is on the wire, in the form `card/update` takes.
    pub deferred: Vec<Json>,
    /// When it came how far.
    pub course: Course,
}

impl CallReport {
    /// Of a call that nothing else is known of.
    pub(super) fn without_end(error: CallError) -> Self {
        let course = Course::beginning(true);
        Self { result: Err(error), fuel: 0, deferred: Vec::new(), course }
    }
}

/// Why a handler did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It wants the user to see this.
    #[error("the plugin answered with a failure for the user")]
    User(Toast),
    /// It failed, and says why for the log.
    #[error("the plugin failed: {0}")]
    Internal(String),
    /// A command said so by its exit code.
    #[error("the plugin failed: exit code {code}{}{tail}", if tail.is_empty() { "" } else { ": " })]
    Exit {
        /// Not 0.
        code: i32,
        /// What it said last on standard error.
        tail: String,
    },
    /// Its CPU budget is gone.
    #[error("the plugin used up its {limit} units of fuel")]
    OutOfFuel {
        /// Its budget.
        limit: u64,
    },
    /// It was refused memory and crashed.
    #[error("the plugin wanted more than its {limit} bytes of memory")]
    OutOfMemory {
        /// Its limit.
        limit: usize,
    },
    /// It was still at it when all its time was over.
    #[error("the plugin was stopped at the end of its time")]
    Stopped,
    /// It crashed.
    #[error("the plugin crashed: {0}")]
    Trap(String),
    /// Its reply holds more text than it may.
    #[error("the reply holds {size} bytes; the plugin's limit is {limit}")]
    ReplyTooLarge {
        /// Bytes in it.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Its reply is not what the contract says, or too long to be copied out of the guest.
    #[error("the reply cannot be read: {0}")]
    Unreadable(String),
    /// All guests together have the memory that there is for guests.
    #[error("the guests of this host have used up guests.memory_bytes")]
    HostMemory,
    /// The pool has nothing left for an instance, although it has a place for every call.
    #[error("no room for another instance: {0}")]
    NoRoom(String),
}

/// Which of a plugin's exports takes a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// The one made for that type of callback.
    Typed,
    /// `callback-handler`, JSON in and JSON out.
    Json,
}

/// A callback for a plugin.
pub struct Task {
    /// Which of its exports takes it.
    pub handler: Handler,
    /// What it is given.
    pub callback: Arc<Callback>,
    /// When it is due.
    pub deadline: Deadline,
    /// What takes it down, or plays it.
    pub tape: Tape,
}

/// What a call gets at.
#[derive(Clone, Copy)]
enum Reach {
    /// What the operator granted.
    AsGranted,
    /// Nothing beyond this host and this call: it is only a try.
    Nothing,
}

/// Starts a call. `place` is let go when the call has ended, which may be long after its callback was answered.
pub fn start(
    engine: &GuestEngine,
    plugin: Arc<Plugin>,
    task: Task,
    pass: Pass,
    place: impl Send + 'static,
) -> RunningCall {
    let Task { handler, callback, deadline, tape } = task;
    let (io, long) = (Handle::current(), Arc::clone(&engine.long_turns));
    let pace = Arc::clone(&plugin.pace);
    RunningCall::begin(engine, &pace, async move {
        let guest = plugin.guest(&callback, deadline, io, &tape);
        let call = run(&plugin, handler, &callback, deadline, guest);
        let ((report, guest), used) = take_turns(call, &long).await;
        plugin.pace.record(used);
        let ended_well = plugin.conclude(pass, &report, deadline) == Verdict::Good;
        if ended_well && plugin.can_be_reused() {
            plugin.kept.put(guest, &callback.header.tenant_key, plugin.places);
        } else {
            drop(guest);
        }
        drop(place);
        report
    })
}

async fn run(
    plugin: &Plugin,
    handler: Handler,
    callback: &Callback,
    deadline: Deadline,
    mut guest: Guest,
) -> (CallReport, Guest) {
    let limits = plugin.limits;
    let mut course = Course::beginning(guest.instance.is_none());
    let invoking = invoke(plugin, handler, callback, &mut guest, &mut course);
    let outcome = tokio::time::timeout_at(deadline.hard(), invoking).await;
    course.ended = Instant::now();
    let store = &mut guest.store;
    let result = match outcome {
        Err(_elapsed) => Err(CallError::Stopped),
        Ok(Err(error)) => Err(classify(&error, plugin, store.data().limiter.refused())),
        Ok(Ok(Err(failure @ CallError::Exit { .. }))) => {
            Err(for_want_of_memory(plugin, store.data().limiter.refused()).unwrap_or(failure))
        }
        Ok(Ok(Err(failure))) => Err(failure),
        Ok(Ok(Ok(reply))) => match reply.text_size() {
            size if size > limits.reply_bytes => {
                Err(CallError::ReplyTooLarge { size, limit: limits.reply_bytes })
            }
            _ => Ok(reply),
        },
    };
    let result = result.map_err(|error| error.without_secrets(&plugin.settings));
    let fuel = limits.fuel - store.get_fuel().unwrap_or(0);
    let (printed, beyond) = store.data().wasi.printed.take();
    let mut deferred = Vec::new();
    if let Some(call) = store.data_mut().call.take() {
        call.logging.finish(&printed, beyond);
        deferred = call.deferred.into_cards();
    }
    (CallReport { result, fuel, deferred, course }, guest)
}

async fn invoke(
    plugin: &Plugin,
    handler: Handler,
    callback: &Callback,
    guest: &mut Guest,
    course: &mut Course,
) -> wasmtime::Result<Result<RawReply, CallError>> {
    let (store, reply_bytes) = (&mut guest.store, plugin.limits.reply_bytes);
    let instance_pre = match &plugin.code.linked {
        Linked::Component(instance_pre) => instance_pre,
        Linked::Program(program) => {
            let start = program.instantiate(store).await?;
            course.instantiated = Some(Instant::now());
            let code = command::run_program(start, store).await?;
            return Ok(command::answer(code, callback, &store.data().wasi, reply_bytes));
        }
    };
    let instance = match guest.instance {
        Some(instance) => instance,
        None => *guest.instance.insert(instance_pre.instantiate_async(&mut *store).await?),
    };
    course.instantiated = Some(Instant::now());
    let header = &callback.header;
    let handlers = &plugin.handlers;
    if let Some(Command::Run(indices)) = &handlers.command {
        let code = command::run(indices, store, &instance).await?;
        return Ok(command::answer(code, callback, &store.data().wasi, reply_bytes));
    }
    let absent = || wasmtime::Error::msg("the plugin does not export a handler for this callback");
    let reply = match (handler, &callback.body) {
        (Handler::Json, _) => {
            let guest =
                handlers.callback.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            let event = callback.event_json();
            guest.call_handle(store, &lower::header(header), &event).await?.map(RawReply::Json)
        }
        (Handler::Typed, Body::CardAction(card)) => {
            let guest =
                handlers.card_action.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            guest.call_handle(store, &lower::card_action(header, card)).await?.map(lift::card_reply)
        }
        (Handler::Typed, Body::LinkPreview(preview)) => {
            let guest =
                handlers.link_preview.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            guest
                .call_handle(store, &lower::preview_request(header, preview))
                .await?
                .map(lift::preview_reply)
        }
        (Handler::Typed, Body::LegacyCard(card)) => {
            let guest =
                handlers.legacy_card.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            guest
                .call_handle(store, &lower::card_action(header, card))
                .await?
                .map(lift::legacy_reply)
        }
        (Handler::Typed, Body::Other(event)) => {
            let guest = handlers.event.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            guest
                .call_handle(store, &lower::event(header, event))
                .await?
                .map(|()| RawReply::Accepted)
        }
    };
    Ok(reply.map_err(CallError::from))
}

impl From<types::Failure> for CallError {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::User(toast) => Self::User(lift::toast(toast)),
            types::Failure::Internal(text) => Self::Internal(text),
        }
    }
}

/// A guest that is refused memory may see it, and give up in its own way.
fn for_want_of_memory(plugin: &Plugin, refused: Option<Refused>) -> Option<CallError> {
    Some(match refused? {
        Refused::Own => CallError::OutOfMemory { limit: plugin.limits.memory_bytes },
        Refused::Host => CallError::HostMemory,
    })
}

fn classify(error: &wasmtime::Error, plugin: &Plugin, refused: Option<Refused>) -> CallError {
    let said = || format!("{error:#}");
    let trap = error.downcast_ref::<Trap>();
    if let Some(Trap::OutOfFuel) = trap {
        return CallError::OutOfFuel { limit: plugin.limits.fuel };
    }
    if let Some(want) = for_want_of_memory(plugin, refused) {
        return want;
    }
    match trap {
        Some(trap) => CallError::Trap(trap.to_string()),
        None if error.is::<PoolConcurrencyLimitError>() => CallError::NoRoom(said()),
        // What goes wrong inside a guest has a trace of its frames; reading what it returned has none.
        None if error.downcast_ref::<WasmBacktrace>().is_none() => CallError::Unreadable(said()),
        None => CallError::Trap(said()),
    }
}

impl CallError {
    /// As it may stand in the log: the plugin's own words are shown without what its operator gave it.
    fn without_secrets(self, settings: &ConfigCtx) -> Self {
        match self {
            Self::Internal(text) => Self::Internal(settings.without_secrets(&text).into_owned()),
            Self::Exit { code, tail } => {
                Self::Exit { code, tail: settings.without_secrets(&tail).into_owned() }
            }
            other => other,
        }
    }

    /// Nobody knows how the call ended: the host itself failed.
    pub(super) fn lost(error: &dyn std::fmt::Display) -> Self {
        Self::Trap(format!("the guest's thread failed: {error}"))
    }

    /// Whom it counts against.
    fn verdict(&self) -> Verdict {
        match self {
            // Most languages report a crash by their exit code; a toast is how a command tells the user something.
            Self::Exit { .. }
            | Self::OutOfFuel { .. }
            | Self::OutOfMemory { .. }
            | Self::Stopped
            | Self::Trap(_)
            | Self::ReplyTooLarge { .. }
            | Self::Unreadable(_) => Verdict::Failed,
            // The plugin works: it says that something else does not.
            Self::User(_) | Self::Internal(_) => Verdict::Good,
            Self::HostMemory | Self::NoRoom(_) => Verdict::Neither,
        }
    }
}

impl Plugin {
    /// Counts the call, and pauses the plugin if it was one failure too many.
    fn conclude(&self, pass: Pass, report: &CallReport, deadline: Deadline) -> Verdict {
        let now = Instant::now();
        let verdict = report.result.as_ref().map_or_else(CallError::verdict, |_| Verdict::Good);
        self.usage.record(report.fuel, verdict == Verdict::Failed);
        if verdict == Verdict::Good && now < deadline.soft() {
            self.usage.record_duration(now - report.course.began);
        }
        let (app, plugin, version) = (&self.app, &self.name, &self.version);
        match pass.settle(verdict, now) {
            None => {}
            Some(Change::Paused(pause)) => {
                let reason = report.result.as_ref().err().map(ToString::to_string);
                let seconds = pause.as_secs_f64();
                tracing::error!(%app, %plugin, %version, seconds, reason, "plugin paused");
            }
            Some(Change::Resumed) => {
                tracing::info!(%app, %plugin, %version, "plugin resumed");
            }
        }
        verdict
    }

    /// One that was kept, or a fresh one, ready for that call.
    fn guest(&self, callback: &Callback, deadline: Deadline, io: Handle, tape: &Tape) -> Guest {
        match self.kept.take(&callback.header.tenant_key) {
            Some(mut guest) => {
                let call = self.call_state(callback, deadline, io, Reach::AsGranted, tape);
                guest.store.data().wasi.begin_call(tape);
                self.begin_call(&mut guest.store, call);
                guest
            }
            None => {
                self.usage.record_instance();
                Guest::fresh(self.store(callback, deadline, io, Reach::AsGranted, tape))
            }
        }
    }

    fn store(
        &self,
        callback: &Callback,
        deadline: Deadline,
        io: Handle,
        reach: Reach,
        tape: &Tape,
    ) -> Store<GuestState> {
        let log_bytes = self.limits.log_bytes;
        let wasi = match self.handlers.command {
            None => Wasi::new(log_bytes, tape),
            Some(_) => Wasi::command(log_bytes, self.given(callback, deadline, tape), tape),
        };
        let state = GuestState {
            wasi,
            limiter: InstanceLimiter::new(self.limits.memory_bytes, self.budget.clone()),
            turn: Turn::begin(),
            call: None,
        };
        let mut store = Store::new(self.code.linked.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.call_hook_async(Meter::new(self.limits.reply_bytes));
        // Fails only where fuel is switched off in the engine, and it never is.
        store
            .fuel_async_yield_interval(Some(YIELD_INTERVAL))
            .unwrap_or_else(|error| unreachable!("fuel is on: {error}"));
        self.begin_call(&mut store, self.call_state(callback, deadline, io, reach, tape));
        store
    }

    /// All limits of a call begin anew with it.
    fn begin_call(&self, store: &mut Store<GuestState>, call: CallState) {
        let state = store.data_mut();
        state.limiter.begin_call();
        state.turn = Turn::begin();
        state.call = Some(call);
        // Likewise.
        store
            .set_fuel(self.limits.fuel)
            .unwrap_or_else(|error| unreachable!("fuel is on: {error}"));
    }

    fn call_state(
        &self,
        callback: &Callback,
        deadline: Deadline,
        io: Handle,
        reach: Reach,
        tape: &Tape,
    ) -> CallState {
        let event_id = callback.header.event_id.as_deref().unwrap_or_default();
        let has_card = callback.card_action().is_some_and(|card| !card.update_token.is_empty());
        let (access, buckets, way) = match reach {
            Reach::AsGranted => {
                (Some(Arc::clone(&self.open_api)), self.buckets.clone(), self.http.clone())
            }
            Reach::Nothing => (None, Buckets::default(), HttpWay::Nowhere),
        };
        let tag = self.log_tag(event_id);
        let tenant = callback.tenant_key().to_owned();
        let open_api = OpenApiCtx::new(access, tenant, deadline, io.clone(), tape.clone());
        CallState {
            request: RequestCtx::new(callback.raw(), deadline, tape.clone()),
            deferred: DeferredCtx::new(has_card),
            open_api,
            config: self.settings.clone(),
            http: HttpCtx::new(
                way,
                self.destinations.clone(),
                deadline,
                io.clone(),
                tag.clone(),
                self.settings.clone(),
                tape.clone(),
            ),
            key_value: KeyValueCtx::new(self.store.clone(), buckets, deadline, io, tape.clone()),
            sealed_values: self.sealed_values(callback, tape.clone()),
            logging: LoggingCtx::new(tag, self.limits.log_bytes, self.settings.clone()),
        }
    }

    fn given(&self, callback: &Callback, deadline: Deadline, tape: &Tape) -> Given<'_> {
        Given {
            name: &self.name,
            environment: self.settings.pairs().collect(),
            remaining_ms: tape.remaining_ms(deadline.remaining_ms()),
            input: callback.raw().without_secrets(),
            reply_bytes: self.limits.reply_bytes,
        }
    }

    fn sealed_values(&self, callback: &Callback, tape: Tape) -> SealedValuesCtx {
        let (app, plugin) = (Arc::clone(&self.app), Arc::clone(&self.name));
        SealedValuesCtx::new(self.seal_key.clone(), app, plugin, callback, tape)
    }

    fn log_tag(&self, event_id: &str) -> LogTag {
        LogTag {
            app: Arc::clone(&self.app),
            plugin: Arc::clone(&self.name),
            version: Arc::clone(&self.version),
            event_id: event_id.into(),
        }
    }
}

/// One call for the plugin's own tests, or one that is played again: without grants, uncounted, over by the soft deadline.
pub(super) async fn try_out(engine: &GuestEngine, plugin: &Arc<Plugin>, task: Task) -> CallReport {
    let Task { handler, callback, deadline, tape } = task;
    let (io, plugin) = (Handle::current(), Arc::clone(plugin));
    let long = Arc::clone(&engine.long_turns);
    let trying = engine.threads().spawn(async move {
        let store = plugin.store(&callback, deadline, io, Reach::Nothing, &tape);
        let guest = Guest::fresh(store);
        let call = run(&plugin, handler, &callback, deadline, guest);
        let ((report, _), _) = take_turns(call, &long).await;
        report
    });
    let stop = trying.abort_handle();
    match tokio::time::timeout_at(deadline.soft(), trying).await {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => CallReport::without_end(CallError::lost(&error)),
        Err(_elapsed) => {
            stop.abort();
            CallReport::without_end(CallError::Stopped)
        }
    }
}

/// What calls of a measurement run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instances {
    Fresh,
    Reused,
}

/// The same call again and again on one guest thread, for measurements: without grants, uncounted. How long each took; the
/// first that gets no reply ends it.
pub(super) fn repeat(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    callback: &Arc<Callback>,
    instances: Instances,
    calls: usize,
) -> JoinHandle<Result<Vec<Duration>, CallError>> {
    let (io, plugin, callback) = (Handle::current(), Arc::clone(plugin), Arc::clone(callback));
    engine.threads().spawn(async move {
        let (mut taken, mut kept) = (Vec::with_capacity(calls), None::<Guest>);
        for _ in 0..calls {
            let (began, io, tape) = (Instant::now(), io.clone(), Tape::off());
            let deadline = DeadlineConfig::default().starting(began);
            let guest = match kept.take() {
                Some(mut guest) => {
                    let call = plugin.call_state(&callback, deadline, io, Reach::Nothing, &tape);
                    guest.store.data().wasi.begin_call(&tape);
                    plugin.begin_call(&mut guest.store, call);
                    guest
                }
                None => Guest::fresh(plugin.store(&callback, deadline, io, Reach::Nothing, &tape)),
            };
            let (report, guest) = run(&plugin, Handler::Typed, &callback, deadline, guest).await;
            report.result?;
            kept = Some(guest).filter(|_| instances == Instances::Reused);
            taken.push(began.elapsed());
        }
        Ok(taken)
    })
}
