//! One call: an instance, a budget, an answer. A store ends with its call, unless the call ended well and its operator wants
//! the instance kept for another.

pub(super) mod describe;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::callback::reply::RawReply;
use crate::deadline::Deadline;
use crate::deadline::DeadlineConfig;
use crate::journal::tape::Tape;
use crate::plugin::breaker::Change;
use crate::plugin::breaker::Pass;
use crate::plugin::breaker::Verdict;
use crate::plugin::call::Occasion;
use crate::plugin::call::Reach;
use crate::plugin::call_error::CallError;
use crate::plugin::call_report::CallReport;
use crate::plugin::call_report::Handler;
use crate::plugin::command;
use crate::plugin::command::Command;
use crate::plugin::course::Course;
use crate::plugin::engine::GuestEngine;
use crate::plugin::guest::Guest;
use crate::plugin::lift;
use crate::plugin::linked::Linked;
use crate::plugin::loaded::Plugin;
use crate::plugin::lower;
use crate::plugin::machine::StaleMemory;
use crate::plugin::running::RunningCall;
use crate::plugin::turns::take_turns;

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
        let guest = plugin.guest(Occasion {
            plugin: Arc::clone(&plugin),
            callback: Arc::clone(&callback),
            deadline,
            io,
            reach: Reach::AsGranted,
            tape,
        });
        let call = run(&plugin, handler, &callback, deadline, guest);
        let ((report, guest), used) = take_turns(call, &long).await;
        plugin.pace.record(used);
        let ended_well = plugin.conclude(pass, &report, deadline) == Verdict::Good;
        if ended_well && plugin.can_be_reused() {
            plugin.kept.put(guest, callback.tenants(), plugin.places);
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
    let answering = async {
        loop {
            match invoke(plugin, handler, callback, &mut guest, &mut course).await {
                Err(error) if error.is::<StaleMemory>() => {}
                outcome => break outcome,
            }
            // No guest code has seen that memory: the call begins again where nothing can be left.
            match plugin.running.safe().await {
                Ok(runnable) => guest.run_instead(runnable),
                Err(failure) => break Ok(Err(failure)),
            }
        }
    };
    let outcome = tokio::time::timeout_at(deadline.hard(), answering).await;
    course.ended = Instant::now();
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
    let result = result.map_err(|error| error.without_secrets(&plugin.settings));
    let fuel = limits.fuel - store.get_fuel().unwrap_or(0);
    let (printed, beyond) = store.data().wasi.printed.take();
    let call = store.data_mut().call.take();
    let deferred = call.map_or_else(Vec::new, |call| call.end(&printed, beyond));
    (CallReport { result, fuel, deferred, course }, guest)
}

async fn invoke(
    plugin: &Plugin,
    handler: Handler,
    callback: &Callback,
    guest: &mut Guest,
    course: &mut Course,
) -> wasmtime::Result<Result<RawReply, CallError>> {
    let Guest { store, instance, runnable, .. } = guest;
    let reply_bytes = plugin.limits.reply_bytes;
    let instance_pre = match &runnable.linked {
        Linked::Component(instance_pre) => instance_pre,
        Linked::Program(program) => {
            let start = program.instantiate(store).await?;
            course.instantiated = Some(Instant::now());
            let code = command::run_program(start, store).await?;
            return Ok(command::answer(code, callback, &store.data().wasi, reply_bytes));
        }
    };
    let instance = match *instance {
        Some(instance) => instance,
        None => *instance.insert(instance_pre.instantiate_async(&mut *store).await?),
    };
    course.instantiated = Some(Instant::now());
    let header = &callback.header;
    let handlers = &runnable.handlers;
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

impl Plugin {
    /// Counts the call, and pauses the plugin if it was one failure too many.
    fn conclude(&self, pass: Pass, report: &CallReport, deadline: Deadline) -> Verdict {
        let now = report.course.ended;
        let verdict = report.result.as_ref().map_or_else(CallError::verdict, |_| Verdict::Good);
        self.usage.record(report.fuel, verdict == Verdict::Failed);
        if verdict == Verdict::Good && now < deadline.soft() {
            self.usage.record_duration(now - report.course.began);
        }
        let (app, plugin, version) = (&self.app, &self.name, &self.version);
        match pass.settle(verdict, now) {
            None => {}
            Some(Change::Paused(scope, pause)) => {
                let reason = report.result.as_ref().err().map(ToString::to_string);
                let (seconds, scope) = (pause.as_secs_f64(), scope.as_str());
                tracing::error!(%app, %plugin, %version, seconds, reason, whom = scope, "plugin paused");
            }
            Some(Change::Resumed(scope)) => {
                let scope = scope.as_str();
                tracing::info!(%app, %plugin, %version, whom = scope, "plugin resumed");
            }
        }
        verdict
    }

    /// One that was kept, or a fresh one, ready for that call.
    fn guest(&self, occasion: Occasion) -> Guest {
        match self.kept.take(occasion.callback.tenants()) {
            // Its memory holds what it wrote itself, whatever was swapped out. But what runs elsewhere by now shall not
            // keep the pool of another machine.
            Some(guest) if Arc::ptr_eq(&guest.runnable, &self.running.current()) => {
                guest.again(occasion)
            }
            _ => {
                self.usage.record_instance();
                Guest::fresh(occasion)
            }
        }
    }
}

/// One call for the plugin's own tests, or one that is played again: without grants, uncounted, over by the soft deadline.
pub(super) async fn try_out(engine: &GuestEngine, plugin: &Arc<Plugin>, task: Task) -> CallReport {
    let Task { handler, callback, deadline, tape } = task;
    let (io, plugin) = (Handle::current(), Arc::clone(plugin));
    let long = Arc::clone(&engine.long_turns);
    let trying = engine.threads().spawn(async move {
        let occasion =
            Occasion::tried(Arc::clone(&plugin), Arc::clone(&callback), deadline, io, tape);
        let guest = Guest::fresh(occasion);
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
            let occasion =
                Occasion::tried(Arc::clone(&plugin), Arc::clone(&callback), deadline, io, tape);
            let guest = match kept.take() {
                Some(guest) => guest.again(occasion),
                None => Guest::fresh(occasion),
            };
            let (report, guest) = run(&plugin, Handler::Typed, &callback, deadline, guest).await;
            report.result?;
            kept = Some(guest).filter(|_| instances == Instances::Reused);
            taken.push(began.elapsed());
        }
        Ok(taken)
    })
}
