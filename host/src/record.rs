//! The record of an answered callback, for the log, the metrics, the journal and observers.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use lark_card::fault::Fault;
use serde::Deserialize;
use serde::Serialize;
use serde::de::IntoDeserializer as _;
use serde::de::value;

use crate::steps::Span;
use crate::steps::Steps;

/// The outcome of a callback. Each one has its own counter and its own word in the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The plugin's reply went out.
    Answered,
    /// The plugin reported a failure.
    PluginFailure,
    /// The plugin was still running when the answer was due.
    Deadline,
    /// The plugin used up its CPU budget.
    OutOfFuel,
    /// The plugin wanted more memory than it may have.
    OutOfMemory,
    /// The plugin crashed with a WebAssembly trap.
    Trap,
    /// The plugin's reply, or a part of it, broke a rule of the platform.
    InvalidReply,
    /// No plugin takes this callback.
    NoHandler,
    /// Too many calls were under way.
    Overload,
    /// The plugin is paused because it kept failing.
    Paused,
    /// The callback repeats an earlier one, and got the same answer.
    Repeated,
    /// A cached preview was the answer.
    Cached,
    /// The person may not click, or the value's seal is not good.
    Refused,
    /// The event is older than the plugin accepts.
    TooOld,
    /// The host handled it itself, without a plugin.
    Host,
}

impl Outcome {
    /// Returns true for outcomes that an operator should look into. A refused click is not one: the operator asked for it.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Answered
            | Self::Repeated
            | Self::Cached
            | Self::Refused
            | Self::TooOld
            | Self::Host => false,
            Self::PluginFailure
            | Self::Deadline
            | Self::OutOfFuel
            | Self::OutOfMemory
            | Self::Trap
            | Self::InvalidReply
            | Self::NoHandler
            | Self::Overload
            | Self::Paused => true,
        }
    }

    /// Returns the outcome's word in the log, the metrics and the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::PluginFailure => "plugin_failure",
            Self::Deadline => "deadline",
            Self::OutOfFuel => "out_of_fuel",
            Self::OutOfMemory => "out_of_memory",
            Self::Trap => "trap",
            Self::InvalidReply => "invalid_reply",
            Self::NoHandler => "no_handler",
            Self::Overload => "overload",
            Self::Paused => "paused",
            Self::Repeated => "repeated",
            Self::Cached => "cached",
            Self::Refused => "refused",
            Self::TooOld => "too_old",
            Self::Host => "host",
        }
    }
}

impl FromStr for Outcome {
    type Err = value::Error;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::deserialize(word.into_deserializer())
    }
}

/// The way a callback came in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// An HTTP request of the platform.
    Webhook,
    /// A message over a WebSocket that the host opened.
    LongConnection,
}

impl Door {
    /// Returns the door's name in the log and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::LongConnection => "long_connection",
        }
    }
}

/// The facts about one callback that are logged, counted and observed.
#[derive(Clone, Debug)]
pub struct CallbackRecord {
    /// Id of the app.
    pub app: Arc<str>,
    /// The door that it came in by.
    pub door: Door,
    /// Id of the event; `None` if the platform gave none.
    pub event_id: Option<String>,
    /// The type of the callback or event, for example `card.action.trigger`.
    pub event_type: String,
    /// The plugin that the callback was routed to.
    pub plugin: Option<PluginVersion>,
    /// Fuel that the call used; `None` if no call ended before the answer.
    pub fuel: Option<u64>,
    /// Time from the first byte to the decision on the answer; for an event that waited in the inbox, the time that the try took.
    pub elapsed: Duration,
    /// The way in which it ended.
    pub outcome: Outcome,
    /// The reason for an outcome other than success. With success, what was mended in the plugin's reply.
    pub reason: Option<String>,
    /// The likely faults of the reply's card, which was sent all the same.
    pub warnings: Vec<Fault>,
    /// The time of each step. The time of sending is added when the answer is on the wire, a moment later.
    pub steps: Steps,
    /// The guest's calls of host functions, if a journal or an observer wants them.
    pub host_calls: Arc<[HostCallTime]>,
}

/// One call of a host function by a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCallTime {
    /// Interface and function, for example `open-api.call`.
    pub call: Cow<'static, str>,
    /// The time at which it began, and its duration.
    pub span: Span,
}

/// A plugin's name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVersion {
    /// The name of the plugin's file.
    pub name: Arc<str>,
    /// The first 12 hex digits of the file's SHA-256.
    pub version: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_from_the_word_it_is_written_as() {
        let all = [
            Outcome::Answered,
            Outcome::PluginFailure,
            Outcome::Deadline,
            Outcome::OutOfFuel,
            Outcome::OutOfMemory,
            Outcome::Trap,
            Outcome::InvalidReply,
            Outcome::NoHandler,
            Outcome::Overload,
            Outcome::Paused,
            Outcome::Repeated,
            Outcome::Cached,
            Outcome::Refused,
            Outcome::TooOld,
            Outcome::Host,
        ];
        for outcome in all {
            assert_eq!(serde_json::json!(outcome), outcome.as_str());
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        assert!("crashed".parse::<Outcome>().is_err());
    }
}
