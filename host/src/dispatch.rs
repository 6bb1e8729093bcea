//! The journey of a callback, on one screen: snapshot, route, run, check, answer, and what comes after the answer.

pub mod admission;
mod app_ticket;
mod cached;
mod gate;
mod identity_key;
mod intake;
pub mod late;
mod made_by;
mod once;
pub mod rehearsal;
mod route;
pub mod work;

use std::sync::Arc;

use lark_wire::secret::Secret;
use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::model::Kind;
use crate::callback::reply::Reply;
use crate::clock::now_ms;
use crate::deadline::Deadline;
use crate::dispatch::admission::Admission;
use crate::dispatch::admission::Ask;
use crate::dispatch::admission::NotAdmitted;
use crate::dispatch::cached::CacheSlot;
use crate::dispatch::gate::Gate;
use crate::dispatch::gate::Passage;
use crate::dispatch::gate::Tickets;
use crate::dispatch::intake::Intake;
use crate::dispatch::late::CallContinuation;
use crate::dispatch::late::Late;
use crate::dispatch::route::Picked;
use crate::folder::registry::Registry;
use crate::folder::registry::Snapshot;
use crate::inbox::Inbox;
use crate::journal::draft::Called;
use crate::journal::draft::Draft;
use crate::journal::writer::Journal;
use crate::plugin::breaker::Paused;
use crate::plugin::decision::Decision;
use crate::plugin::decision::decide;
use crate::plugin::loaded::Plugin;
use crate::plugin::originator::Originator;
use crate::plugin::start_call;
use crate::record::CallbackRecord;
use crate::record::Door;
use crate::record::HostCallTime;
use crate::record::Outcome;
use crate::runtime::call::report::CallReport;
use crate::runtime::call::report::Handler;
use crate::runtime::call::run::Task;
use crate::runtime::call::running_call::RunningCall;
use crate::runtime::call::timing::CallTiming;
use crate::runtime::engine::GuestEngine;
use crate::steps::Step;
use crate::steps::Steps;
use crate::store::Store;
use crate::tape::Tape;
use crate::tape::told::Told;
use crate::telemetry::Observers;

pub use crate::dispatch::late::Flushed;

/// Answers the callbacks of one app.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    app: Arc<str>,
    engine: Arc<GuestEngine>,
    admission: Arc<Admission>,
    registry: Registry,
    late: Arc<Late>,
    inbox: Inbox,
    gate: Gate,
    observers: Observers,
    journal: Option<Journal>,
}

/// The parts of a [`Dispatcher`].
#[derive(Debug)]
pub struct DispatcherParts {
    /// The id of the app whose callbacks it answers.
    pub app: Arc<str>,
    /// Runs the plugins of all apps.
    pub engine: Arc<GuestEngine>,
    /// Gives out the places for calls of all apps.
    pub admission: Arc<Admission>,
    /// Holds the app's plugins.
    pub registry: Registry,
    /// Shows late replies and card updates after the app's answers.
    pub late: Arc<Late>,
    /// Holds events until they are handled.
    pub inbox: Inbox,
    /// Receive the record of every callback.
    pub observers: Observers,
    /// Records every callback, if there is one.
    pub journal: Option<Journal>,
}

/// The one answer to a callback.
#[derive(Debug)]
pub struct Answered {
    /// The answer to send.
    pub reply: Reply,
    /// The door marks it once the answer is on the wire: card updates wait for that.
    pub flushed: Flushed,
}

/// Why a call was not even started.
#[derive(Debug, thiserror::Error)]
enum NotStarted {
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    #[error(
        "the plugin is paused for {} for another {} ms because it kept failing",
        .0.scope.as_str(), .0.left.as_millis()
    )]
    Paused(Paused),
}

/// A callback that came in, with its door and deadline.
struct Arrived {
    callback: Arc<Callback>,
    door: Door,
    deadline: Deadline,
    /// The steps until the callback was parsed.
    steps: Steps,
}

/// The decision about a callback.
struct Handled<'a> {
    /// The plugin that the callback was routed to.
    plugin: Option<&'a Arc<Plugin>>,
    decision: Decision,
    call: Option<EndedCall>,
}

/// A call that ended before its answer was due.
struct EndedCall {
    fuel: u64,
    timing: CallTiming,
    told: Option<Told>,
    by: Handler,
    updates: Vec<Json>,
}

/// The state of a call when its answer is due.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and a box would be an allocation for each call"
)]
enum InTime {
    /// The call has ended. The caller settles the tickets.
    Ended(CallReport, Tickets),
    /// The call continues, and [`CallContinuation`] waits for it.
    Continues,
}

impl Dispatcher {
    /// Answers with the plugins in the registry.
    pub fn new(parts: DispatcherParts) -> Self {
        let DispatcherParts { app, engine, admission, registry, late, inbox, observers, journal } =
            parts;
        let gate = Gate::new(Arc::clone(&app), late.store().clone());
        Self { app, engine, admission, registry, late, inbox, gate, observers, journal }
    }

    /// Returns the id of the app whose callbacks these are.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Returns the store of what the app's hosts remember.
    pub fn store(&self) -> &Store {
        self.late.store()
    }

    /// Answers by the soft deadline at the latest, whatever the plugin does. `steps` holds the steps until the callback was
    /// parsed.
    pub async fn answer(
        &self,
        callback: Callback,
        door: Door,
        deadline: Deadline,
        steps: Steps,
    ) -> Answered {
        let callback = Arc::new(callback);
        let (mut flushed, continuation) =
            late::continuation(&self.late, &callback, deadline, &steps);
        let snapshot = self.registry.snapshot();
        let arrived = Arrived { callback, door, deadline, steps };
        let Some(handled) = self.handle(&snapshot, &arrived, continuation).await else {
            // There will be a record of it once somebody has worked on it.
            return Answered { reply: Reply::accepted(), flushed };
        };
        let (reply, draft) = self.report(arrived, handled);
        if let Some((journal, draft)) = self.journal.as_ref().zip(draft) {
            flushed.then_write(journal, draft);
        }
        Answered { reply, flushed }
    }

    /// Decides on the answer: by the host itself, or by the plugin that the callback is routed to. `None` if it is an event that
    /// is in the inbox now.
    async fn handle<'a>(
        &self,
        snapshot: &'a Snapshot,
        arrived: &Arrived,
        continuation: CallContinuation,
    ) -> Option<Handled<'a>> {
        let Arrived { callback, deadline, .. } = arrived;
        let deadline = *deadline;
        let open_api = self.late.open_api();
        if let Some(decision) = app_ticket::take(callback, &self.app, open_api).await {
            return Some(Handled { plugin: None, decision, call: None });
        }
        let Some((picked, canary)) = route::pick_version(snapshot, callback) else {
            let decision = Decision::by_host(callback, Reason::NoHandler, None);
            return Some(Handled { plugin: None, decision, call: None });
        };
        let intake = match callback.kind() {
            // Boxed, because a click need not carry its state.
            Kind::Other => Box::pin(self.take_in(picked, arrived)).await,
            _ => Intake::NotForInbox,
        };
        match intake {
            Intake::NotForInbox => {}
            Intake::Stored => return None,
            Intake::Decided(decision) => {
                let plugin = Some(picked.plugin);
                return Some(Handled { plugin, decision, call: None });
            }
        }
        let handled = match self.gate.pass(picked, callback, deadline).await {
            Passage::Open(tickets) => {
                self.ask(picked, callback, tickets, deadline, continuation).await
            }
            Passage::Closed(decision) => {
                Handled { plugin: Some(picked.plugin), decision, call: None }
            }
            Passage::Stale(decision, slot) => {
                self.renew_preview(picked, callback, slot, deadline);
                Handled { plugin: Some(picked.plugin), decision, call: None }
            }
        };
        if let Some(canary) = canary {
            let took = handled.call.as_ref().map(|call| call.timing.took());
            canary.record(picked.plugin, handled.decision.outcome, took);
        }
        Some(handled)
    }

    /// Passes the record to the observers. Returns the answer, and what the journal is to be told.
    fn report(&self, arrived: Arrived, handled: Handled<'_>) -> (Reply, Option<Draft>) {
        let Arrived { callback, door, deadline, mut steps } = arrived;
        let Handled { plugin, decision, call } = handled;
        note_steps(&mut steps, call.as_ref(), decision.outcome);
        if let Some(plugin) = plugin {
            plugin.warn(&decision.warnings);
        }
        let record = CallbackRecord {
            app: Arc::clone(&self.app),
            door,
            event_id: callback.header.event_id.clone(),
            event_type: callback.header.event_type.clone(),
            plugin: plugin.map(|plugin| plugin.identity()),
            fuel: call.as_ref().map(|call| call.fuel),
            elapsed: deadline.elapsed(),
            outcome: decision.outcome,
            reason: decision.reason,
            warnings: decision.warnings,
            host_calls: call.as_ref().map(EndedCall::host_calls).unwrap_or_default(),
            steps,
        };
        self.observers.record(&record);
        let draft = self.journal.is_some().then(|| {
            let secrets = plugin.map(|plugin| plugin.secrets().to_vec()).unwrap_or_default();
            draft(callback, record, &decision.reply, call, secrets)
        });
        (decision.reply, draft)
    }

    /// Calls the plugin. Decides on its reply, or on the answer given in its place.
    async fn ask<'a>(
        &self,
        Picked { plugin, handler, .. }: Picked<'a>,
        callback: &Arc<Callback>,
        tickets: Tickets,
        deadline: Deadline,
        continuation: CallContinuation,
    ) -> Handled<'a> {
        let without_call = |decision| Handled { plugin: Some(plugin), decision, call: None };
        if let Some(reply) = self.late.preview(callback, plugin) {
            return without_call(Decision::new(reply, Outcome::Answered, None));
        }
        let tape = self.tape(deadline);
        let running = match self.start(plugin, handler, callback, deadline, tape.clone()).await {
            Ok(running) => running,
            Err(why) => return without_call(not_started(callback, &why)),
        };
        match in_time(running, plugin, deadline, continuation, tickets).await {
            InTime::Continues => without_call(still_working(callback, plugin)),
            InTime::Ended(CallReport { result, fuel, deferred, timing }, tickets) => {
                let decision = decide(callback, result);
                if matches!(decision.outcome, Outcome::Answered | Outcome::InvalidReply) {
                    tickets.done(&decision.reply, deadline.soft()).await;
                }
                let (told, updates) = (tape.take(), deferred);
                let call = Some(EndedCall { fuel, timing, told, by: handler, updates });
                Handled { plugin: Some(plugin), decision, call }
            }
        }
    }

    /// Calls the plugin again for a preview whose older version was answered already.
    fn renew_preview(
        &self,
        Picked { plugin, handler, .. }: Picked<'_>,
        callback: &Arc<Callback>,
        slot: CacheSlot,
        deadline: Deadline,
    ) {
        let (dispatcher, plugin, callback) =
            (self.clone(), Arc::clone(plugin), Arc::clone(callback));
        self.late.spawn(async move {
            // Nobody reads this tape, but its instance may serve another call, whose tape is read.
            let tape = dispatcher.tape(deadline);
            let started = dispatcher.start(&plugin, handler, &callback, deadline, tape).await;
            // The next request for this preview tries again.
            let Ok(mut running) = started else { return };
            let decision = decide(&callback, running.report().await.result);
            if decision.outcome == Outcome::Answered {
                slot.fill(&decision.reply);
            }
        });
    }

    /// Returns a tape for a call: recording for a journal, watching for observers, and off without either.
    fn tape(&self, deadline: Deadline) -> Tape {
        match &self.journal {
            Some(_) => Tape::recording(deadline.received()),
            None if self.observers.are_there() => Tape::watching(deadline.received()),
            None => Tape::off(),
        }
    }

    /// Starts the call as soon as there is a place for it.
    async fn start(
        &self,
        plugin: &Arc<Plugin>,
        handler: Handler,
        callback: &Arc<Callback>,
        deadline: Deadline,
        tape: Tape,
    ) -> Result<RunningCall, NotStarted> {
        let from = Originator::of(callback);
        let pass = plugin.breaker().pass(Instant::now(), from).map_err(NotStarted::Paused)?;
        let place = self.admission.enter(Ask::new(plugin, callback.kind(), from, deadline)).await?;
        let callback = Arc::clone(callback);
        let task = Task { handler, callback, deadline, tape };
        Ok(start_call::start(&self.engine, Arc::clone(plugin), task, pass, place))
    }
}

impl EndedCall {
    fn host_calls(&self) -> Arc<[HostCallTime]> {
        let calls = self.told.iter().flat_map(|told| &told.calls);
        calls.map(|call| HostCallTime { call: call.call.clone(), span: call.span }).collect()
    }
}

/// Charges the time since the callback was parsed to the steps that the call went through.
fn note_steps(steps: &mut Steps, ended: Option<&EndedCall>, outcome: Outcome) {
    if let Some(EndedCall { timing, .. }) = ended {
        steps.done_at(Step::Queue, timing.began);
        if let Some(instantiated) = timing.instantiated {
            steps.done_at(Step::Instantiate, instantiated);
            steps.done_at(Step::Guest, timing.ended);
        }
    } else if outcome == Outcome::Deadline {
        // The guest is still running; the whole wait is charged to the guest step.
        steps.done(Step::Guest);
    }
    steps.done(Step::Check);
}

/// Makes the journal's draft of a callback.
fn draft(
    callback: Arc<Callback>,
    record: CallbackRecord,
    reply: &Reply,
    ended: Option<EndedCall>,
    secrets: Vec<Secret>,
) -> Draft {
    let age_ms = u64::try_from(record.elapsed.as_millis()).unwrap_or(u64::MAX);
    let called = ended.and_then(|ended| {
        let (by_json, fresh) = (ended.by == Handler::Json, ended.timing.fresh);
        Some(Called { by_json, fresh, told: ended.told?, updates: ended.updates })
    });
    Draft {
        record,
        at_ms: now_ms().saturating_sub(age_ms),
        callback,
        reply: reply.clone(),
        called,
        secrets,
    }
}

/// Waits for the call until its answer is due.
async fn in_time(
    mut running: RunningCall,
    plugin: &Arc<Plugin>,
    deadline: Deadline,
    continuation: CallContinuation,
    tickets: Tickets,
) -> InTime {
    let Some(report) = running.report_by(deadline.soft()).await else {
        continuation.follow(running, Arc::clone(plugin), tickets);
        return InTime::Continues;
    };
    if !report.deferred.is_empty() {
        continuation.update(report.deferred.clone(), plugin).await;
    }
    InTime::Ended(report, tickets)
}

/// Answers with the plugin's toast for a call that is still running, or with the host's.
fn still_working(callback: &Callback, plugin: &Plugin) -> Decision {
    let declared =
        plugin.policy().still_working.as_ref().and_then(|words| words.reply(callback.kind()));
    match declared {
        Some(reply) => Decision::new(reply, Outcome::Deadline, None),
        None => Decision::by_host(callback, Reason::StillWorking, None),
    }
}

fn not_started(callback: &Callback, why: &NotStarted) -> Decision {
    let reason = Some(why.to_string());
    match why {
        NotStarted::NotAdmitted(_) => Decision::by_host(callback, Reason::Busy, reason),
        NotStarted::Paused(_) => Decision::failed(callback, Outcome::Paused, reason),
    }
}
