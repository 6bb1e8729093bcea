//! Runs one callback through one plugin that is not live: the same steps as in a host, without doors and without a platform.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply_check::check_late;
use crate::deadline::DeadlineConfig;
use crate::dispatch::NotStarted;
use crate::dispatch::not_started;
use crate::dispatch::route;
use crate::dispatch::route::Picked;
use crate::dispatch::still_working;
use crate::plugin::decision::Decision;
use crate::plugin::decision::decide;
use crate::plugin::live::Live;
use crate::plugin::loaded::Plugin;
use crate::plugin::originator::Originator;
use crate::plugin::start_call;
use crate::record::Outcome;
use crate::runtime::call::error::CallError;
use crate::runtime::call::report::CallReport;
use crate::runtime::call::run::Task;
use crate::runtime::engine::GuestEngine;
use crate::tape::Tape;

/// The result of a rehearsal.
#[derive(Debug)]
pub struct Rehearsal {
    /// The answer that the host would send.
    pub reply: Reply,
    /// The outcome that the log would show.
    pub outcome: Outcome,
    /// The reason for an outcome other than success.
    pub reason: Option<String>,
    /// True if the answer is the plugin's whole reply and was in time.
    pub as_said: bool,
    /// Fuel that the call used; `None` if the plugin was not called.
    pub fuel: Option<u64>,
    /// Time from the beginning of the call to its end, which may be after the answer.
    pub elapsed: Duration,
    /// Cards that would be shown after the answer, as `card/update` takes them.
    pub updates: Vec<Json>,
}

/// Calls the plugin with `callback`, and checks its reply as a host would.
pub async fn rehearse(engine: &GuestEngine, plugin: &Arc<Plugin>, callback: Callback) -> Rehearsal {
    let deadline = callback.kind().deadline(DeadlineConfig::default(), Instant::now());
    let callback = Arc::new(callback);
    let alone = Live::new(vec![Arc::clone(plugin)]);
    let Some(Picked { plugin, handler, .. }) = route::pick(&alone, &callback) else {
        return uncalled(Decision::by_host(&callback, Reason::NoHandler, None));
    };
    let from = Originator::of(&callback);
    let pass = match plugin.breaker().pass(Instant::now(), from) {
        Ok(pass) => pass,
        Err(paused) => return uncalled(not_started(&callback, &NotStarted::Paused(paused))),
    };
    let task = Task { handler, callback: Arc::clone(&callback), deadline, tape: Tape::off() };
    let mut call = start_call::start(engine, Arc::clone(plugin), task, pass, ());
    let (decision, as_said, fuel, updates) = match call.report_by(deadline.soft()).await {
        Some(CallReport { result, fuel, deferred, .. }) => {
            let has_said = matches!(result, Ok(_) | Err(CallError::User(_)));
            let decision = decide(&callback, result);
            let as_said = has_said && decision.outcome != Outcome::InvalidReply;
            (decision, as_said, fuel, deferred)
        }
        None => {
            let report = call.report().await;
            let (updates, reason) = shown_late(&callback, report.result, report.deferred);
            let decision = Decision { reason, ..still_working(&callback, plugin) };
            (decision, false, report.fuel, updates)
        }
    };
    let Decision { reply, outcome, reason } = decision;
    let (fuel, elapsed) = (Some(fuel), deadline.elapsed());
    Rehearsal { reply, outcome, reason, as_said, fuel, elapsed, updates }
}

fn uncalled(decision: Decision) -> Rehearsal {
    let Decision { reply, outcome, reason } = decision;
    let (as_said, fuel, elapsed, updates) = (false, None, Duration::ZERO, Vec::new());
    Rehearsal { reply, outcome, reason, as_said, fuel, elapsed, updates }
}

/// Returns the cards that would be shown of a reply that missed the answer's deadline, and the reply's faults.
fn shown_late(
    callback: &Callback,
    result: Result<RawReply, CallError>,
    mut updates: Vec<Json>,
) -> (Vec<Json>, Option<String>) {
    match result {
        Ok(raw) => {
            let late = check_late(callback.kind(), raw);
            updates.extend(late.card);
            (updates, (!late.faults.is_empty()).then(|| late.faults.to_string()))
        }
        Err(error) => (updates, Some(error.to_string())),
    }
}
