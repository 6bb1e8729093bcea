//! The lines of the log, kept instead of written: for commands that show what a plugin said beside what it answered.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use tokio::sync::Notify;
use tracing::Event;
use tracing::Level;
use tracing::Metadata;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::printable::Clipping;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::printable::push_clipped;
use crate::telemetry::events::LogEvent;
use crate::telemetry::events::PLUGIN_LOG;

/// Lines that are kept; the oldest go first. A call's share of the log is 64 KiB by default, which are fewer.
const MAX_LINES: usize = 10_000;
/// Whose lines are kept.
const OURS: [&str; 2] = ["aviary", "guarded_http"];
/// Where guests' own lines come from; those are kept at any level.
const GUESTS: &str = "::capability::logging";

/// One line.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// `INFO`, `WARN`, …
    pub level: &'static str,
    /// What happened.
    pub message: String,
    /// To whom, and why.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Line {
    /// Whether this is what it says.
    pub fn is(&self, event: LogEvent) -> bool {
        self.message == event.text()
    }

    /// Whether a plugin wrote it.
    pub fn is_a_guests(&self) -> bool {
        self.is(PLUGIN_LOG)
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let text = |name: &str| self.fields.get(name).and_then(Value::as_str).unwrap_or_default();
        if self.is_a_guests() {
            return format!("{} {} {}", self.level, text("context"), text("text"));
        }
        let fields = Value::Object(self.fields.clone());
        format!("{} {} {fields}", self.level, self.message)
    }
}

/// The lines so far.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    lines: Arc<Mutex<VecDeque<Line>>>,
    written: Arc<Notify>,
}

impl Collector {
    /// Takes the place of the log for the rest of the process.
    pub fn install(&self) {
        // Only an already installed subscriber makes this fail, and a command installs one.
        let _already_set = tracing_subscriber::registry().with(self.clone()).try_init();
    }

    /// All lines since the last time.
    pub fn take(&self) -> Vec<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lines).into()
    }

    /// The next line of that sort, which is taken with all that came before it.
    pub async fn next(&self, is_it: impl Fn(&Line) -> bool) -> Line {
        loop {
            let written = self.written.notified();
            {
                let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(found) = lines.iter().position(&is_it)
                    && let Some(line) = lines.drain(..=found).next_back()
                {
                    return line;
                }
            }
            written.await;
        }
    }
}

impl<S: Subscriber> Layer<S> for Collector {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let from = metadata.target();
        let is_ours = OURS.iter().any(|name| from.starts_with(name));
        is_ours && (*metadata.level() <= Level::INFO || from.ends_with(GUESTS))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = match fields.0.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        let line = Line { level: event.metadata().level().as_str(), message, fields: fields.0 };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(lines);
        // One waits at most, and a permit is kept for it where it does not wait yet.
        self.written.notify_one();
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let mut clipping = Clipping::new(MAX_TEXT_BYTES, |piece: &str| {
            text.push_str(piece);
            piece.len()
        });
        // A value that cannot be formatted is left half written.
        let _ = write!(clipping, "{value:?}");
        let missing = clipping.missing();
        if missing > 0 {
            push_clipped(&mut text, missing);
        }
        self.put(field, text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, clipped(value, MAX_TEXT_BYTES).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}
