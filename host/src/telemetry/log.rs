//! The log: its destination, its format, and the line about a callback.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::record::CallbackRecord;
use crate::record::Outcome;
use crate::telemetry::events::CALLBACK;
use crate::telemetry::format::LineFormat;
use crate::telemetry::lines::Lines;

/// The section `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The format of a line: machines read `json`, people read `text`.
    pub format: LogFormat,
    /// The least level that is logged, or directives as `tracing` has them: `info`, `aviary=debug`.
    pub level: String,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for a terminal.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The reason why the log could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The level cannot be parsed.
    #[error("log.level: {0}")]
    Level(#[from] ParseError),
    /// The thread that writes the log could not be started.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[from] std::io::Error),
}

/// Starts logging to standard error. A second call in one process changes nothing. The caller must call
/// [`flush`](crate::telemetry::flush) at the end.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.level)?;
    let lines = Lines::start()?;
    // Colours are for a terminal. In a file, an escape character would be indistinguishable from an attack.
    let has_colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    // Fails only if a subscriber is installed already, and then that one is the right one.
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(has_colours)
        .event_format(LineFormat(config.format))
        .try_init();
    Ok(())
}

/// Writes the line about a callback at that level. `tracing` fixes the level of a line at compile time.
macro_rules! line {
    ($level:ident, $record:expr) => {{
        let record: &CallbackRecord = $record;
        tracing::$level!(
            event_id = record.event_id.as_deref(),
            r#type = record.event_type,
            app = &*record.app,
            door = record.door.as_str(),
            plugin = record.plugin.as_ref().map(|plugin| &*plugin.name),
            version = record.plugin.as_ref().map(|plugin| &*plugin.version),
            fuel = record.fuel,
            ms = record.elapsed.as_secs_f64() * 1000.0,
            outcome = record.outcome.as_str(),
            reason = record.reason.as_deref(),
            "{CALLBACK}"
        )
    }};
}

/// Writes the line about a callback.
pub(super) fn callback(record: &CallbackRecord) {
    // A refusal is a warning too, because a user who is refused again and again is worth a look. So is a reply that was mended:
    // its author should know.
    let was_mended = record.outcome == Outcome::Answered && record.reason.is_some();
    if record.outcome.is_failure() || record.outcome == Outcome::Refused || was_mended {
        line!(warn, record);
    } else {
        line!(info, record);
    }
}

/// Writes the line about a callback that comes often and is worth no look.
pub(super) fn quietly(record: &CallbackRecord) {
    line!(debug, record);
}
