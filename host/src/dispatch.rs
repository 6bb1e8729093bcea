//! The journey of a callback, on one screen: snapshot, route, run, check, answer, and what comes after the answer.

pub mod admission;
mod cached;
mod gate;
pub mod late;
mod once;
pub mod rehearsal;
mod route;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::fallback::fallback;
use crate::callback::model::Callback;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply_check::check;
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
use crate::plugin::breaker::Paused;
use crate::plugin::engine::GuestEngine;
use crate::plugin::instance;
use crate::plugin::instance::CallError;
use crate::plugin::instance::CallReport;
use crate::plugin::instance::Handler;
use crate::plugin::instance::RunningCall;
use crate::plugin::registry::Plugin;
use crate::plugin::registry::Registry;
use crate::telemetry::CallbackRecord;
use crate::telemetry::Door;
use crate::telemetry::Observers;
use crate::telemetry::Outcome;

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
    #[error("the plugin is paused for another {} ms because it kept failing", .0.left.as_millis())]
    Paused(Paused),
}

/// What is said, and what is known about how it came to that.
struct Decision {
    reply: Reply,
    outcome: Outcome,
    reason: Option<String>,
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
    ) -> Self {
        let once = Once::new(late.store().clone());
        let cached = Cached::default();
        Self { app, engine, admission, registry, late, once, cached, observers }
    }

    /// The app whose callbacks these are.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Answers, by the soft deadline at the latest, whatever the plugin does.
    pub async fn answer(&self, callback: Callback, door: Door, deadline: Deadline) -> Answered {
        let callback = Arc::new(callback);
        let (flushed, afterwards) = late::afterwards(&self.late, &callback, deadline);
        let snapshot = self.registry.snapshot();
        let mut record = CallbackRecord {
            app: Arc::clone(&self.app),
            door,
            event_id: callback.header.event_id.clone(),
            event_type: callback.header.event_type.clone(),
            plugin: None,
            fuel: None,
            elapsed: Duration::ZERO,
            outcome: Outcome::NoHandler,
            reason: None,
        };
        let decision = match route::pick(&snapshot, &callback) {
            None => host_words(&callback, Reason::NoHandler, Outcome::NoHandler, None),
            Some(picked) => {
                record.plugin = Some(picked.plugin.identity());
                let (decision, fuel) = match self.gate(picked, &callback, deadline).await {
                    Ok(tickets) => self.ask(picked, &callback, tickets, deadline, afterwards).await,
                    Err(decision) => (decision, None),
                };
                record.fuel = fuel;
                decision
            }
        };
        self.observers.record(CallbackRecord {
            elapsed: deadline.elapsed(),
            outcome: decision.outcome,
            reason: decision.reason,
            ..record
        });
        Answered { reply: decision.reply, flushed }
    }

    /// What the plugin says, or is said in its place; and the fuel that it took, where that is known.
    async fn ask(
        &self,
        Picked { plugin, handler, .. }: Picked<'_>,
        callback: &Arc<Callback>,
        tickets: Tickets,
        deadline: Deadline,
        afterwards: Afterwards,
    ) -> (Decision, Option<u64>) {
        if let Some(reply) = self.late.preview(callback, plugin) {
            return (Decision { reply, outcome: Outcome::Answered, reason: None }, None);
        }
        let running = match self.start(plugin, handler, callback, deadline).await {
            Ok(running) => running,
            Err(why) => return (not_started(callback, &why), None),
        };
        match in_time(running, plugin, deadline, afterwards, tickets).await {
            (None, _) => (still_working(callback, plugin), None),
            (Some(report), tickets) => {
                let decision = decide(callback, report.result);
                if matches!(decision.outcome, Outcome::Answered | Outcome::InvalidReply) {
                    tickets.done(&decision.reply, deadline.soft()).await;
                }
                (decision, Some(report.fuel))
            }
        }
    }

    /// Starts the call, as soon as there is a place for it.
    async fn start(
        &self,
        plugin: &Arc<Plugin>,
        handler: Handler,
        callback: &Arc<Callback>,
        deadline: Deadline,
    ) -> Result<RunningCall, NotStarted> {
        let pass = plugin.breaker().pass(Instant::now()).map_err(NotStarted::Paused)?;
        let place = self.admission.enter(Ask::new(plugin, callback.kind(), deadline)).await?;
        let (plugin, callback) = (Arc::clone(plugin), Arc::clone(callback));
        Ok(instance::start(&self.engine, plugin, handler, callback, deadline, pass, place))
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
    let Some(mut report) = running.report_by(deadline.soft()).await else {
        afterwards.follow(running, Arc::clone(plugin), tickets);
        return (None, Tickets::default());
    };
    afterwards.update(std::mem::take(&mut report.deferred), plugin).await;
    (Some(report), tickets)
}

/// The plugin's own words for that, or the host's.
fn still_working(callback: &Callback, plugin: &Plugin) -> Decision {
    let declared = plugin.still_working().and_then(|words| words.reply(callback.kind()));
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

/// From how a call ended to what is said.
fn decide(callback: &Callback, result: Result<RawReply, CallError>) -> Decision {
    let error = match result {
        Ok(raw) => return checked(callback, raw, Outcome::Answered),
        Err(error) => error,
    };
    let reason = Some(error.to_string());
    let failed = |outcome| host_words(callback, Reason::Failed, outcome, reason.clone());
    match error {
        CallError::User(toast) => match RawReply::from_toast(callback.kind(), toast) {
            Some(raw) => checked(callback, raw, Outcome::PluginFailure),
            None => failed(Outcome::PluginFailure),
        },
        CallError::Internal(_) | CallError::Exit { .. } => failed(Outcome::PluginFailure),
        CallError::OutOfFuel { .. } => failed(Outcome::OutOfFuel),
        CallError::OutOfMemory { .. } => failed(Outcome::OutOfMemory),
        CallError::Trap(_) => failed(Outcome::Trap),
        CallError::ReplyTooLarge { .. } | CallError::Unreadable(_) => failed(Outcome::InvalidReply),
        CallError::Stopped => failed(Outcome::Deadline),
        CallError::HostMemory | CallError::NoRoom(_) => {
            host_words(callback, Reason::Busy, Outcome::Overload, reason)
        }
    }
}

/// Only what keeps to the platform's rules goes out; the rest is named in the log.
fn checked(callback: &Callback, raw: RawReply, outcome: Outcome) -> Decision {
    // The platform does not say which version of card JSON is on screen.
    let checked = check(callback.kind(), raw, None);
    if checked.faults.is_empty()
        && let Some(reply) = checked.reply
    {
        return Decision { reply, outcome, reason: None };
    }
    let reason = Some(checked.faults.to_string());
    match checked.reply {
        Some(reply) => Decision { reply, outcome: Outcome::InvalidReply, reason },
        None => host_words(callback, Reason::Failed, Outcome::InvalidReply, reason),
    }
}

fn host_words(
    callback: &Callback,
    why: Reason,
    outcome: Outcome,
    reason: Option<String>,
) -> Decision {
    Decision { reply: fallback(callback, why), outcome, reason }
}
