//! The log: where it goes, how it looks, and the one line about a callback.

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

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Machines read `json`, people read `text`.
    pub format: LogFormat,
    /// A level, or directives as `tracing` has them: `info`, `aviary=debug`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object in each line.
    Json,
    /// For a terminal.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The level is not one.
    #[error("log.level: {0}")]
    Level(#[from] ParseError),
    /// Its thread could not be started.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[from] std::io::Error),
}

/// Starts logging to standard error. A second call in one process changes nothing. Whoever calls it calls
/// [`flush`](crate::telemetry::flush) in the end.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.level)?;
    let lines = Lines::start()?;
    // Colours are for a terminal. In a file, an escape character would be indistinguishable from an attack.
    let has_colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    // Only an already installed subscriber makes this fail, and then that one is the right one.
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(has_colours)
        .event_format(LineFormat(config.format))
        .try_init();
    Ok(())
}

/// Writes the line about a callback.
pub(super) fn callback(record: &CallbackRecord) {
    let (door, outcome) = (record.door.as_str(), record.outcome.as_str());
    let ms = record.elapsed.as_secs_f64() * 1000.0;
    let plugin = record.plugin.as_ref().map(|plugin| &*plugin.name);
    let version = record.plugin.as_ref().map(|plugin| &*plugin.version);
    // `tracing` fixes the level of a line at compile time, hence the two of them.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event_id = record.event_id.as_deref(),
                r#type = record.event_type,
                app = &*record.app,
                door,
                plugin,
                version,
                fuel = record.fuel,
                ms,
                outcome,
                reason = record.reason.as_deref(),
                "{CALLBACK}"
            )
        };
    }
    // Who is refused again and again is worth a look too.
    if record.outcome.is_failure() || record.outcome == Outcome::Refused {
        line!(warn);
    } else {
        line!(info);
    }
}
