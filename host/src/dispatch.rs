//! The journey of a callback, on one screen: snapshot, route, run, check, answer, and what comes after the answer.

pub mod admission;
mod app_ticket;
mod cached;
mod gate;
mod identity_key;
pub mod late;
mod made_by;
mod once;
pub mod rehearsal;
mod route;

use std::sync::Arc;

use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::reply::Reply;
use crate::clock::now_ms;
use crate::deadline::Deadline;
use crate::dispatch::admission::Admission;
use crate::dispatch::admission::Ask;
use crate::dispatch::admission::NotAdmitted;
use crate::dispatch::cached::Cached;
use crate::dispatch::gate::Tickets;
use crate::dispatch::late::Afterwards;
use crate::dispatch::late::Late;
use crate::dispatch::once::Once;
use crate::dispatch::route::Picked;
use crate::journal::draft::Called;
use crate::journal::draft::Draft;
use crate::journal::writer::Journal;
use crate::plugin::breaker::Paused;
use crate::plugin::decision::Decision;
use crate::plugin::decision::decide;
use crate::plugin::decision::host_words;
use crate::plugin::loaded::Plugin;
use crate::plugin::originator::Originator;
use crate::plugin::registry::Registry;
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
use crate::secret::Secret;
use crate::steps::Step;
use crate::steps::Steps;
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
    once: Once,
    cached: Cached,
    observers: Observers,
    journal: Option<Journal>,
}

/// The one answer to a callback.
#[derive(Debug)]
pub struct Answered {
    /// What to send.
    pub reply: Reply,
    /// To be told once it is on the wire: card updates wait for that.
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

/// A call that ended before its answer was due.
struct Ended {
    fuel: u64,
    timing: CallTiming,
    told: Option<Told>,
    by: Handler,
    updates: Vec<Json>,
}

impl Dispatcher {
    /// For the plugins in `registry`.
    pub fn new(
        app: Arc<str>,
        engine: Arc<GuestEngine>,
        admission: Arc<Admission>,
        registry: Registry,
        late: Arc<Late>,
        observers: Observers,
        journal: Option<Journal>,
    ) -> Self {
        let once = Once::new(late.store().clone());
        let cached = Cached::default();
        Self { app, engine, admission, registry, late, once, cached, observers, journal }
    }

    /// The app whose callbacks these are.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Answers, by the soft deadline at the latest, whatever the plugin does. `steps`: until it was understood.
    pub async fn answer(
        &self,
        callback: Callback,
        door: Door,
        deadline: Deadline,
        mut steps: Steps,
    ) -> Answered {
        let callback = Arc::new(callback);
        let (mut flushed, afterwards) = late::afterwards(&self.late, &callback, deadline, &steps);
        let snapshot = self.registry.snapshot();
        let mut plugin = None;
        let own = self.take_ticket(&callback).await;
        let (decision, ended) = match (own, route::pick(&snapshot, &callback)) {
            (Some(own), _) => (own, None),
            (None, None) => {
                (host_words(&callback, Reason::NoHandler, Outcome::NoHandler, None), None)
            }
            (None, Some(picked)) => {
                let canary = snapshot.canary(picked.plugin);
                let picked = route::pick_canary(canary, &callback).unwrap_or(picked);
                plugin = Some(picked.plugin);
                let (decision, ended) = match self.gate(picked, &callback, deadline).await {
                    Ok(tickets) => self.ask(picked, &callback, tickets, deadline, afterwards).await,
                    Err(decision) => (decision, None),
                };
                if let Some(canary) = canary {
                    let took = ended.as_ref().map(|ended| ended.timing.took());
                    canary.record(picked.plugin, decision.outcome, took);
                }
                (decision, ended)
            }
        };
        note_steps(&mut steps, ended.as_ref(), decision.outcome);
        let record = CallbackRecord {
            app: Arc::clone(&self.app),
            door,
            event_id: callback.header.event_id.clone(),
            event_type: callback.header.event_type.clone(),
            plugin: plugin.map(|plugin| plugin.identity()),
            fuel: ended.as_ref().map(|ended| ended.fuel),
            elapsed: deadline.elapsed(),
            outcome: decision.outcome,
            reason: decision.reason,
            host_calls: ended.as_ref().map(Ended::host_calls).unwrap_or_default(),
            steps,
        };
        self.observers.record(&record);
        if let Some(journal) = &self.journal {
            let secrets = plugin.map(|plugin| plugin.secrets().to_vec()).unwrap_or_default();
            let draft = draft(callback, record, &decision.reply, ended, secrets);
            flushed.then_write(journal, draft);
        }
        Answered { reply: decision.reply, flushed }
    }

    /// What the plugin says, or is said in its place; and the call, where it ended in time.
    async fn ask(
        &self,
        Picked { plugin, handler, .. }: Picked<'_>,
        callback: &Arc<Callback>,
        tickets: Tickets,
        deadline: Deadline,
        afterwards: Afterwards,
    ) -> (Decision, Option<Ended>) {
        if let Some(reply) = self.late.preview(callback, plugin) {
            return (Decision { reply, outcome: Outcome::Answered, reason: None }, None);
        }
        let tape = self.tape(deadline);
        let running = match self.start(plugin, handler, callback, deadline, tape.clone()).await {
            Ok(running) => running,
            Err(why) => return (not_started(callback, &why), None),
        };
        match in_time(running, plugin, deadline, afterwards, tickets).await {
            (None, _) => (still_working(callback, plugin), None),
            (Some(CallReport { result, fuel, deferred, timing }), tickets) => {
                let decision = decide(callback, result);
                if matches!(decision.outcome, Outcome::Answered | Outcome::InvalidReply) {
                    tickets.done(&decision.reply, deadline.soft()).await;
                }
                let (told, updates) = (tape.take(), deferred);
                (decision, Some(Ended { fuel, timing, told, by: handler, updates }))
            }
        }
    }

    /// Something to take a call down on, if anybody wants to read it.
    fn tape(&self, deadline: Deadline) -> Tape {
        match &self.journal {
            Some(_) => Tape::recording(deadline.received()),
            None if self.observers.are_there() => Tape::watching(deadline.received()),
            None => Tape::off(),
        }
    }

    /// Starts the call, as soon as there is a place for it.
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

impl Ended {
    fn host_calls(&self) -> Arc<[HostCallTime]> {
        let calls = self.told.iter().flat_map(|told| &told.calls);
        calls.map(|call| HostCallTime { call: call.call.clone(), span: call.span }).collect()
    }
}

/// From when it was understood to now, when it is decided.
fn note_steps(steps: &mut Steps, ended: Option<&Ended>, outcome: Outcome) {
    if let Some(Ended { timing, .. }) = ended {
        steps.done_at(Step::Queue, timing.began);
        if let Some(instantiated) = timing.instantiated {
            steps.done_at(Step::Instantiate, instantiated);
            steps.done_at(Step::Guest, timing.ended);
        }
    } else if outcome == Outcome::Deadline {
        // It is still at it, wherever it is: what was waited for is its.
        steps.done(Step::Guest);
    }
    steps.done(Step::Check);
}

/// What the journal is given.
fn draft(
    callback: Arc<Callback>,
    record: CallbackRecord,
    reply: &Reply,
    ended: Option<Ended>,
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

/// What the call returned before its answer is due, and the tickets. `None`: it goes on, and `afterwards` sees to both.
async fn in_time(
    mut running: RunningCall,
    plugin: &Arc<Plugin>,
    deadline: Deadline,
    afterwards: Afterwards,
    tickets: Tickets,
) -> (Option<CallReport>, Tickets) {
    let Some(report) = running.report_by(deadline.soft()).await else {
        afterwards.follow(running, Arc::clone(plugin), tickets);
        return (None, Tickets::default());
    };
    if !report.deferred.is_empty() {
        afterwards.update(report.deferred.clone(), plugin).await;
    }
    (Some(report), tickets)
}

/// The plugin's own words for that, or the host's.
fn still_working(callback: &Callback, plugin: &Plugin) -> Decision {
    let declared =
        plugin.policy().still_working.as_ref().and_then(|words| words.reply(callback.kind()));
    match declared {
        Some(reply) => Decision { reply, outcome: Outcome::Deadline, reason: None },
        None => host_words(callback, Reason::StillWorking, Outcome::Deadline, None),
    }
}

fn not_started(callback: &Callback, why: &NotStarted) -> Decision {
    let reason = Some(why.to_string());
    match why {
        NotStarted::NotAdmitted(_) => host_words(callback, Reason::Busy, Outcome::Overload, reason),
        NotStarted::Paused(_) => host_words(callback, Reason::Failed, Outcome::Paused, reason),
    }
}
