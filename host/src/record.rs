//! What is said of a callback when it has its answer: in the log, in figures, and to whoever observes.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::de::IntoDeserializer as _;
use serde::de::value;

use crate::steps::Span;
use crate::steps::Steps;

/// How a callback ended. Each has its own count and its own word in the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The plugin's reply went out.
    Answered,
    /// The plugin said that it failed.
    PluginFailure,
    /// The plugin was still at it when the answer was due.
    Deadline,
    /// It used up its CPU budget.
    OutOfFuel,
    /// It wanted more memory than it may have.
    OutOfMemory,
    /// It crashed.
    Trap,
    /// Its reply, or a part of it, broke a rule of the platform.
    InvalidReply,
    /// No plugin takes this callback.
    NoHandler,
    /// Too many calls were under way.
    Overload,
    /// The plugin is paused because it kept failing.
    Paused,
    /// The same has happened before: it got the same answer.
    Repeated,
    /// The preview was made a moment ago.
    Cached,
    /// Whoever clicked may not, or the value is not as it was sealed.
    Refused,
    /// The event is older than the plugin wants it.
    TooOld,
    /// The host took it for itself: no plugin is asked.
    Host,
}

impl Outcome {
    /// Whether somebody should look why. Refusing whoever may not click is what the host was told to do.
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

    /// The word of the log, the metrics and the journal.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// HTTP.
    Webhook,
    /// WebSocket.
    LongConnection,
}

impl Door {
    /// As it stands in the log and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::LongConnection => "long_connection",
        }
    }
}

/// What the line about a callback says.
#[derive(Clone, Debug)]
pub struct CallbackRecord {
    /// Which app it was for.
    pub app: Arc<str>,
    /// The way it came in.
    pub door: Door,
    /// Absent where the platform gave none.
    pub event_id: Option<String>,
    /// For example `card.action.trigger`.
    pub event_type: String,
    /// The plugin that was called.
    pub plugin: Option<PluginVersion>,
    /// Absent where no call ended before the answer.
    pub fuel: Option<u64>,
    /// Since the first byte.
    pub elapsed: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it did not end well.
    pub reason: Option<String>,
    /// Where the time went. That the answer was sent is seen there a moment later.
    pub steps: Steps,
    /// What the plugin asked of the host, where a journal is kept or somebody observes.
    pub host_calls: Arc<[HostCallTime]>,
}

/// One call of the host by a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCallTime {
    /// Interface and function, for example `open-api.call`.
    pub call: Cow<'static, str>,
    /// When, and for how long.
    pub span: Span,
}

/// Which plugin, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVersion {
    /// The file's name.
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
