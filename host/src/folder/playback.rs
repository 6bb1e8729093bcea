//! Replays a callback of the journal with a plugin. The plugin's host calls are answered from the record and reach nothing,
//! and its reply is compared with the recorded one. For `aviary replay`, and for a new version before it goes live.
//!
//! Time is not replayed: a plugin that slept sleeps again, and durations are measured but never compared.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::callback::fallback::Reason;
use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::plain;
use crate::callback::plain::PlainError;
use crate::callback::reply::Outgoing;
use crate::callback::reply::Reply;
use crate::capability::context::CallMode;
use crate::deadline::DeadlineConfig;
use crate::journal::entry::Call;
use crate::journal::entry::Entry;
use crate::journal::entry::NotPlayable;
use crate::journal::entry::Said;
use crate::journal::mask::without_credentials;
use crate::plugin::decision::Decision;
use crate::plugin::decision::decide;
use crate::plugin::loaded::Plugin;
use crate::plugin::route::ActionValue;
use crate::record::Outcome;
use crate::runtime::call::report::CallReport;
use crate::runtime::call::report::Handler;
use crate::runtime::call::run::Task;
use crate::runtime::call::run::try_out;
use crate::runtime::engine::GuestEngine;
use crate::tape::Tape;
use crate::tape::UnrecordedCall;
use crate::tape::stand_ins::StandIns;

/// The result of replaying one callback.
#[derive(Debug)]
pub struct Played {
    /// Fuel that the call used; `None` if the plugin does not take the callback.
    pub fuel: Option<u64>,
    /// The duration of the call.
    pub took: Duration,
    /// The differences from the record.
    pub differences: Vec<Difference>,
}

/// A difference between the record (`was`) and the replay (`now`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Difference {
    /// The outcome of the callback.
    Outcome {
        /// The outcome in the journal.
        was: Outcome,
        /// The outcome of the replay.
        now: Outcome,
        /// Why the replay ended this way.
        reason: Option<String>,
    },
    /// The reason for the outcome, where the outcome itself is the same.
    Verdict {
        /// The reason in the journal.
        was: Option<String>,
        /// The reason in the replay.
        now: Option<String>,
    },
    /// The answer that the user gets.
    Reply {
        /// The answer in the journal.
        was: Value,
        /// The answer of the replay.
        now: Value,
    },
    /// The cards that are shown after the answer.
    Updates {
        /// The recorded cards, in order.
        was: Vec<Value>,
        /// The cards of the replay, in order.
        now: Vec<Value>,
    },
    /// The fuel that the call used.
    Fuel {
        /// The fuel in the journal.
        was: u64,
        /// The fuel of the replay.
        now: u64,
    },
    /// Host calls that are not in the record. They got no answer.
    Asked {
        /// The functions that it called, with their arguments.
        now: Vec<String>,
    },
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = |words: &Option<String>| words.clone().unwrap_or_else(|| "none".to_owned());
        match self {
            Self::Outcome { was, now, reason } => {
                write!(formatter, "outcome: {}, now {}", was.as_str(), now.as_str())?;
                reason.iter().try_for_each(|reason| write!(formatter, ": {reason}"))
            }
            Self::Verdict { was, now } => {
                write!(formatter, "verdict: {}, now {}", words(was), words(now))
            }
            Self::Reply { was, now } => write!(formatter, "reply: {was}, now {now}"),
            Self::Updates { was, now } => {
                write!(
                    formatter,
                    "later cards: {}, now {}",
                    Value::from(was.clone()),
                    Value::from(now.clone())
                )
            }
            Self::Fuel { was, now } => write!(formatter, "fuel: {was}, now {now}"),
            Self::Asked { now } => {
                write!(formatter, "asked what was not asked: {}", now.join("; "))
            }
        }
    }
}

/// Why a callback could not be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaybackError {
    /// The journal's entry lacks something that a replay needs.
    #[error(transparent)]
    NotPlayable(#[from] NotPlayable),
    /// Masking has left no valid callback.
    #[error("what is left of the callback is none: {0}")]
    Callback(#[from] PlainError),
}

/// Replays the callback of a journal entry with a plugin.
pub async fn play(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    entry: &Entry,
) -> Result<Played, PlaybackError> {
    let called = entry.to_play()?;
    let callback = plain::read(Bytes::copy_from_slice(entry.callback.get().as_bytes()))?;
    let callback = Arc::new(callback);
    let Some(handler) = takes(plugin, &callback, called) else {
        let decision = Decision::by_host(&callback, Reason::NoHandler, None);
        let then = Then { entry, called, stand_ins: StandIns::new(&called.told.stand_ins) };
        return Ok(compare(then, &decision, None, &[], Vec::new(), Duration::ZERO));
    };
    let tape = Tape::playing(called.told.clone(), Duration::from_millis(entry.at_ms));
    let began = Instant::now();
    let deadline = callback.kind().deadline(DeadlineConfig::default(), began);
    let task = Task { handler, callback: Arc::clone(&callback), deadline, tape: tape.clone() };
    let report = try_out(engine, plugin.unit(), task, CallMode::Trial).await;
    let took = began.elapsed();
    let CallReport { result, fuel, deferred, .. } = report;
    let decision = decide(&callback, result);
    let then = Then { entry, called, stand_ins: tape.stand_ins() };
    let unrecorded = tape.take_unrecorded();
    let unrecorded = unrecorded
        .iter()
        .map(|UnrecordedCall { call, asked }| format!("{call} {}", without_credentials(asked)));
    Ok(compare(then, &decision, Some(fuel), &deferred, unrecorded.collect(), took))
}

/// The handler to call: the recorded form if the plugin still exports it. `None` if the plugin does not take the callback.
fn takes(plugin: &Plugin, callback: &Callback, called: &Call) -> Option<Handler> {
    let mut value = ActionValue::default();
    if !plugin.routes().iter().any(|route| route.matches(callback, &mut value)) {
        return None;
    }
    let (typed, json) = (plugin.handlers().typed(callback.kind()), plugin.handlers().json());
    match (typed, json) {
        (_, true) if called.by_json => Some(Handler::Json),
        (true, _) => Some(Handler::Typed),
        (false, true) => Some(Handler::Json),
        (false, false) => None,
    }
}

/// The recorded side of the comparison: the entry, its call, and the stand-ins for masked values.
struct Then<'a> {
    entry: &'a Entry,
    called: &'a Call,
    stand_ins: StandIns,
}

fn compare(
    then: Then<'_>,
    decision: &Decision,
    fuel: Option<u64>,
    updates: &[Json],
    unknown: Vec<String>,
    took: Duration,
) -> Played {
    let Then { entry, called, mut stand_ins } = then;
    let Decision { reply, outcome, reason } = decision;
    let mut differences = Vec::new();
    if entry.outcome != *outcome {
        let (was, now) = (entry.outcome, *outcome);
        differences.push(Difference::Outcome { was, now, reason: reason.clone() });
    } else if !stand_ins
        .same(&Value::from(entry.reason.as_deref()), &Value::from(reason.as_deref()))
    {
        let (was, now) = (entry.reason.clone(), reason.clone());
        differences.push(Difference::Verdict { was, now });
    }
    let (was, now) = (said_then(&entry.reply), said_now(reply));
    if !stand_ins.same(&was, &now) {
        differences.push(Difference::Reply { was, now });
    }
    let was: Vec<_> = called.updates.iter().map(|card| parsed(card.get())).collect();
    let now: Vec<_> = updates.iter().map(|card| parsed(card)).collect();
    let same = |(was, now)| stand_ins.same(was, now);
    if was.len() != now.len() || !was.iter().zip(&now).all(same) {
        differences.push(Difference::Updates { was, now });
    }
    // A call in a reused instance may find values that a fresh instance has to compute again, so its fuel is not comparable.
    if let (Some(was), Some(now), true) = (entry.fuel, fuel, called.fresh)
        && was != now
    {
        differences.push(Difference::Fuel { was, now });
    }
    if !unknown.is_empty() {
        differences.push(Difference::Asked { now: unknown });
    }
    Played { fuel, took, differences }
}

fn said_then(said: &Said) -> Value {
    match said {
        Said::Body { status, body } => body_of(*status, body.get()),
        Said::Accepted => "accepted".into(),
        Said::Redeliver => "redeliver".into(),
    }
}

fn said_now(reply: &Reply) -> Value {
    match reply.outgoing() {
        Outgoing::Body { status, json } => body_of(status, &String::from_utf8_lossy(json)),
        Outgoing::Accepted => "accepted".into(),
        Outgoing::Redeliver => "redeliver".into(),
    }
}

fn body_of(status: u16, json: &str) -> Value {
    match status {
        200 => parsed(json),
        status => serde_json::json!({ "status": status, "body": parsed(json) }),
    }
}

/// Parses JSON that the host wrote. Text that is not JSON is compared as text.
fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}
