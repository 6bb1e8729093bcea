//! A callback of the journal, played to a plugin: it is told what was told then, reaches nothing, and what it says is compared
//! with what was said. For `aviary replay`, and for a new version before it goes live.
//!
//! Time is not played: what slept then sleeps again, and how long it takes is measured and never compared.

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

/// What came of it.
#[derive(Debug)]
pub struct Played {
    /// What it used; none where the plugin does not take the callback.
    pub fuel: Option<u64>,
    /// How long it took.
    pub took: Duration,
    /// Everything that is not as it was.
    pub differences: Vec<Difference>,
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Difference {
    /// How it ended.
    Outcome {
        /// Then.
        was: Outcome,
        /// Now.
        now: Outcome,
        /// Why, now.
        reason: Option<String>,
    },
    /// What was wrong with the reply.
    Verdict {
        /// Then.
        was: Option<String>,
        /// Now.
        now: Option<String>,
    },
    /// What the user gets.
    Reply {
        /// Then.
        was: Value,
        /// Now.
        now: Value,
    },
    /// Cards that are shown after the answer.
    Updates {
        /// Then.
        was: Vec<Value>,
        /// Now.
        now: Vec<Value>,
    },
    /// What the call used.
    Fuel {
        /// Then.
        was: u64,
        /// Now.
        now: u64,
    },
    /// It asked the host for what was not asked then, and got no answer.
    Asked {
        /// What.
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

/// Why nothing could be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaybackError {
    /// The journal has too little of it.
    #[error(transparent)]
    NotPlayable(#[from] NotPlayable),
    /// It was masked in a way that leaves no callback.
    #[error("what is left of the callback is none: {0}")]
    Callback(#[from] PlainError),
}

/// Plays it.
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
    let deadline = DeadlineConfig::default().starting(began);
    let task = Task { handler, callback: Arc::clone(&callback), deadline, tape: tape.clone() };
    let report = try_out(engine, plugin.unit(), task).await;
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

/// By which export, if by any: the one it came by then, where the plugin has it.
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

/// What is compared with: the entry, its call, and what stands there for what is masked.
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
    // What another call left in an instance costs less to find than to make again.
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

/// What the host has written is JSON; if it were not, it would still be compared.
fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}
