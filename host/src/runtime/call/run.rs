//! Runs calls. Each call has its own limits. An instance is dropped after its call, unless the call ended well and the
//! operator allows reuse.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::callback::reply::RawReply;
use crate::capability::context::CallContext;
use crate::capability::context::CallMode;
use crate::deadline::Deadline;
use crate::deadline::DeadlineConfig;
use crate::runtime::call::command;
use crate::runtime::call::command::CommandHandler;
use crate::runtime::call::error::CallError;
use crate::runtime::call::guest::Guest;
use crate::runtime::call::last_words::last_words;
use crate::runtime::call::lift;
use crate::runtime::call::lower;
use crate::runtime::call::report::CallReport;
use crate::runtime::call::report::Handler;
use crate::runtime::call::thread_sharing::take_turns;
use crate::runtime::call::timing::CallTiming;
use crate::runtime::code::linked::Linked;
use crate::runtime::engine::GuestEngine;
use crate::runtime::machine::StaleMemory;
use crate::runtime::unit::Unit;
use crate::tape::Tape;

/// A callback for a plugin.
pub struct Task {
    /// The handler to call.
    pub handler: Handler,
    /// The callback that the handler gets.
    pub callback: Arc<Callback>,
    /// The deadlines of the answer and of the call.
    pub deadline: Deadline,
    /// Records the call, or answers its host calls from a record.
    pub tape: Tape,
}

/// The threads and limits that a call uses.
pub struct CallThreads {
    pub(in crate::runtime) io: Handle,
    /// Limits how many long calls have a thread at once.
    pub(in crate::runtime) long: Arc<Semaphore>,
}

impl CallThreads {
    /// Makes calls do their I/O on the current runtime.
    pub fn of(engine: &GuestEngine) -> Self {
        Self { io: Handle::current(), long: Arc::clone(&engine.long_turns) }
    }
}

impl Unit {
    /// Runs a call in a kept instance or in a fresh one. `ended_well` gets the report and decides whether the instance may be
    /// kept.
    pub async fn run(
        &self,
        threads: CallThreads,
        task: Task,
        ended_well: impl FnOnce(&CallReport) -> bool,
    ) -> CallReport {
        let CallThreads { io, long } = threads;
        let Task { handler, callback, deadline, tape } = task;
        let guest = self.guest(CallContext {
            access: Arc::clone(&self.access),
            callback: Arc::clone(&callback),
            deadline,
            io,
            mode: CallMode::Live,
            tape,
        });
        let call = run(self, handler, &callback, deadline, guest);
        let ((report, guest), used) = take_turns(call, &long).await;
        self.hint.record(used);
        if ended_well(&report) {
            self.keep(guest, &callback);
        }
        report
    }

    /// Makes the context of a call without grants.
    pub(in crate::runtime) fn trial(
        &self,
        callback: &Arc<Callback>,
        deadline: Deadline,
        io: Handle,
        tape: Tape,
    ) -> CallContext {
        let (access, callback) = (Arc::clone(&self.access), Arc::clone(callback));
        CallContext { access, callback, deadline, io, mode: CallMode::Trial, tape }
    }
}

async fn run(
    unit: &Unit,
    handler: Handler,
    callback: &Callback,
    deadline: Deadline,
    mut guest: Guest,
) -> (CallReport, Guest) {
    let limits = unit.limits;
    let mut timing = CallTiming::beginning(guest.instance.is_none());
    let answering = async {
        loop {
            match invoke(unit, handler, callback, &mut guest, &mut timing).await {
                Err(error) if error.is::<StaleMemory>() => {}
                outcome => break outcome,
            }
            // No guest code has seen that memory: the call begins again on a machine whose memory is always wiped.
            match unit.code.safe().await {
                Ok(runnable) => unit.run_instead(&mut guest, runnable),
                Err(failure) => break Ok(Err(failure)),
            }
        }
    };
    let outcome = tokio::time::timeout_at(deadline.hard(), answering).await;
    timing.ended = Instant::now();
    let store = &mut guest.store;
    let result = match outcome {
        Err(_elapsed) => Err(CallError::Stopped),
        Ok(Err(error)) => Err(CallError::of(&error, &limits, store.data().limiter.refused())),
        Ok(Ok(Err(failure @ CallError::Exit { .. }))) => {
            Err(CallError::for_want_of_memory(&limits, store.data().limiter.refused())
                .unwrap_or(failure))
        }
        Ok(Ok(Err(failure))) => Err(failure),
        Ok(Ok(Ok(reply))) => match reply.text_size() {
            size if size > limits.reply_bytes => {
                Err(CallError::ReplyTooLarge { size, limit: limits.reply_bytes })
            }
            _ => Ok(reply),
        },
    };
    let fuel = limits.fuel - store.get_fuel().unwrap_or(0);
    let state = store.data_mut();
    let ((printed, beyond), errors) = (state.wasi.printed.take(), state.wasi.printed.take_errors());
    let call = state.call.take();
    let settings = &unit.access.settings;
    let result = result.map_err(|error| {
        let logged = call.as_ref().and_then(|call| call.services.logged_error());
        error.without_secrets(settings).with_last_words(|| last_words(logged, &errors, settings))
    });
    let deferred = call.map_or_else(Vec::new, |call| call.end(&printed, beyond));
    (CallReport { result, fuel, deferred, timing }, guest)
}

async fn invoke(
    unit: &Unit,
    handler: Handler,
    callback: &Callback,
    guest: &mut Guest,
    timing: &mut CallTiming,
) -> wasmtime::Result<Result<RawReply, CallError>> {
    let Guest { store, instance, runnable, .. } = guest;
    let reply_bytes = unit.limits.reply_bytes;
    let instance_pre = match &runnable.linked {
        Linked::Component(instance_pre) => instance_pre,
        Linked::Program(program) => {
            let start = program.instantiate(store).await?;
            timing.instantiated = Some(Instant::now());
            let code = command::run_program(start, store).await?;
            return Ok(command::answer(code, callback, &store.data().wasi, reply_bytes));
        }
    };
    let instance = match *instance {
        Some(instance) => instance,
        None => *instance.insert(instance_pre.instantiate_async(&mut *store).await?),
    };
    timing.instantiated = Some(Instant::now());
    let header = &callback.header;
    let handlers = &runnable.handlers;
    if let Some(CommandHandler::Run(indices)) = &handlers.command {
        let code = command::run(indices, store, &instance).await?;
        return Ok(command::answer(code, callback, &store.data().wasi, reply_bytes));
    }
    let absent = || wasmtime::Error::msg("the plugin does not export a handler for this callback");
    let reply = match (handler, &callback.body) {
        (Handler::Json, _) => {
            let guest =
                handlers.callback.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            let event = callback.event_json();
            guest.call_handle(store, lower::header(header), &event).await?.map(RawReply::Json)
        }
        (Handler::Typed, Body::CardAction(card)) => {
            let guest =
                handlers.card_action.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            let options = lower::texts(&card.action.options);
            guest
                .call_handle(store, lower::card_action(header, card, &options))
                .await?
                .map(lift::card_reply)
        }
        (Handler::Typed, Body::LinkPreview(preview)) => {
            let guest =
                handlers.link_preview.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            guest
                .call_handle(store, lower::preview_request(header, preview))
                .await?
                .map(lift::preview_reply)
        }
        (Handler::Typed, Body::LegacyCard(card)) => {
            let guest =
                handlers.legacy_card.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            let options = lower::texts(&card.action.options);
            guest
                .call_handle(store, lower::card_action(header, card, &options))
                .await?
                .map(lift::legacy_reply)
        }
        (Handler::Typed, Body::Approval(_)) => return Err(absent()),
        (Handler::Typed, Body::Other(event)) => {
            let guest = handlers.event.as_ref().ok_or_else(absent)?.load(&mut *store, &instance)?;
            guest
                .call_handle(store, lower::event(header, event))
                .await?
                .map(|()| RawReply::Accepted)
        }
    };
    Ok(reply.map_err(CallError::from))
}

/// Runs one call for a self-test or a replay: uncounted, and stopped at the soft deadline.
pub async fn try_out(
    engine: &GuestEngine,
    unit: &Arc<Unit>,
    task: Task,
    mode: CallMode,
) -> CallReport {
    let Task { handler, callback, deadline, tape } = task;
    let (CallThreads { io, long }, unit) = (CallThreads::of(engine), Arc::clone(unit));
    let trying = engine.threads().spawn(async move {
        let context = CallContext { mode, ..unit.trial(&callback, deadline, io, tape) };
        let guest = unit.fresh_guest(context);
        let call = run(&unit, handler, &callback, deadline, guest);
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

/// The instances of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// Each call has an instance of its own.
    Fresh,
    /// All calls share one instance.
    Reused,
}

/// Repeats a call on one guest thread, for measurements: without grants and uncounted. Returns the duration of each call.
/// Stops at the first call without a reply.
pub fn repeat(
    engine: &GuestEngine,
    unit: &Arc<Unit>,
    callback: &Arc<Callback>,
    instances: Instances,
    calls: usize,
) -> JoinHandle<Result<Vec<Duration>, CallError>> {
    let (io, unit, callback) = (Handle::current(), Arc::clone(unit), Arc::clone(callback));
    engine.threads().spawn(async move {
        let (mut taken, mut kept) = (Vec::with_capacity(calls), None::<Guest>);
        for _ in 0..calls {
            let (began, io, tape) = (Instant::now(), io.clone(), Tape::off());
            let deadline = DeadlineConfig::default().starting(began);
            let context = unit.trial(&callback, deadline, io, tape);
            let guest = match kept.take() {
                Some(guest) => guest.again(&unit.limits, context),
                None => unit.fresh_guest(context),
            };
            let (report, guest) = run(&unit, Handler::Typed, &callback, deadline, guest).await;
            report.result?;
            kept = Some(guest).filter(|_| instances == Instances::Reused);
            taken.push(began.elapsed());
        }
        Ok(taken)
    })
}
