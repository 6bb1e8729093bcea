//! Keeps the lines of the log instead of writing them, for commands that show them beside a plugin's answer.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use aviary_state::Mutex;
use serde::Serialize;
use serde::Serializer;
use serde_json::Map;
use serde_json::Value;
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

/// Most lines that are kept; beyond that the oldest is dropped. A call's share of the log is 64 KiB by default, which are
/// fewer.
const MAX_LINES: usize = 10_000;
/// Prefixes of the targets whose lines are kept.
const OURS: [&str; 2] = ["aviary", "guarded_http"];
/// The target of the lines that plugins write. They are kept at any level.
pub const GUEST_TARGET: &str = "aviary::guest";

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The level: `INFO`, `WARN`, …
    #[serde(serialize_with = "level_in_words")]
    pub level: Level,
    /// True if a plugin wrote the line.
    #[serde(skip)]
    pub is_a_guests: bool,
    /// The message, which says what happened.
    pub message: String,
    /// The other fields, which say to whom and why.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Line {
    /// Formats the line for people.
    pub fn in_words(&self) -> String {
        let text = |name: &str| self.fields.get(name).and_then(Value::as_str).unwrap_or_default();
        if self.is_a_guests {
            return format!("{} {} {}", self.level, text("context"), text("text"));
        }
        let fields = Value::Object(self.fields.clone());
        format!("{} {} {fields}", self.level, self.message)
    }
}

fn level_in_words<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.as_str())
}

/// The lines that were logged and not taken yet.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    lines: Arc<Mutex<VecDeque<Line>>>,
}

impl Collector {
    /// Replaces the log for the rest of the process.
    pub fn install(&self) {
        // Fails only if a subscriber is installed already, and a command installs one.
        let _already_set = tracing_subscriber::registry().with(self.clone()).try_init();
    }

    /// Takes the lines since the last call.
    pub fn take(&self) -> Vec<Line> {
        let mut lines = self.lines.lock();
        std::mem::take(&mut *lines).into()
    }
}

impl<S: Subscriber> Layer<S> for Collector {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let from = metadata.target();
        let is_ours = OURS.iter().any(|name| from.starts_with(name));
        is_ours && (*metadata.level() <= Level::INFO || from == GUEST_TARGET)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = LineFields::default();
        event.record(&mut fields);
        let message = match fields.0.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let is_a_guests = target == GUEST_TARGET;
        let line = Line { level, is_a_guests, message, fields: fields.0 };
        let mut lines = self.lines.lock();
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

#[derive(Default)]
struct LineFields(Map<String, Value>);

impl LineFields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for LineFields {
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
