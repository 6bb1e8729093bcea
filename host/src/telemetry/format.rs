//! Formats the lines of the log: JSON for machines, text for people.
//!
//! Much of the logged text comes from others: callbacks, plugins, servers. So this is the one place that bounds a line. No
//! field is longer than its limit, no line is longer than [`MAX_LINE_BYTES`], clipped text says how much is missing, and
//! characters that would end the line, control a terminal or reorder text are escaped. JSON stays JSON.

use std::fmt;
use std::fmt::Write as _;

use tracing::Event;
use tracing::Level;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime as _;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::registry::LookupSpan;

use crate::printable::Clipping;
use crate::printable::MAX_NAME_BYTES;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::push_clipped;
use crate::printable::push_escaped;
use crate::printable::push_quoted;
use crate::telemetry::log::LogFormat;

/// The longest line. Container runtimes split lines at 16 KiB, and then neither part is JSON.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// Bytes of a line that fields may fill. The rest is for names, for the note that text is missing, and for the end.
const MAX_FIELDS_BYTES: usize = MAX_LINE_BYTES - 1024;
/// Initial capacity of a line. A callback's line has about 350 bytes.
const COMMON_LINE_BYTES: usize = 512;
/// Fields that hold sentences. All other fields hold ids and names, whose limit is lower.
const SENTENCES: [&str; 5] = ["message", "text", "reason", "error", "missing"];

/// Formats lines as the configuration says.
pub(super) struct LineFormat(pub(super) LogFormat);

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::with_capacity(COMMON_LINE_BYTES);
        let level = event.metadata().level();
        match self.0 {
            LogFormat::Json => json(&mut line, level, event)?,
            LogFormat::Text => text(&mut line, level, event, writer.has_ansi_escapes())?,
        }
        line.push('\n');
        writer.write_str(&line)
    }
}

fn json(line: &mut String, level: &Level, event: &Event<'_>) -> fmt::Result {
    line.push_str("{\"timestamp\":\"");
    SystemTime.format_time(&mut Writer::new(line))?;
    line.push_str("\",\"level\":\"");
    line.push_str(level.as_str());
    line.push('"');
    let mut fields = JsonFields { line, left_out: 0 };
    event.record(&mut fields);
    let left_out = fields.left_out;
    if left_out > 0 {
        write!(line, ",\"fields_left_out\":{left_out}")?;
    }
    line.push('}');
    Ok(())
}

fn text(line: &mut String, level: &Level, event: &Event<'_>, ansi: bool) -> fmt::Result {
    let (dim, colour, plain) =
        if ansi { ("\x1b[2m", colour(level), "\x1b[0m") } else { ("", "", "") };
    line.push_str(dim);
    SystemTime.format_time(&mut Writer::new(line))?;
    write!(line, "{plain} {colour}{:>5}{plain}", level.as_str())?;
    let mut fields = TextFields { line, left_out: 0, dim, plain };
    event.record(&mut fields);
    let left_out = fields.left_out;
    if left_out > 0 {
        write!(line, " fields_left_out={left_out}")?;
    }
    Ok(())
}

fn colour(level: &Level) -> &'static str {
    match *level {
        Level::TRACE => "\x1b[35m",
        Level::DEBUG => "\x1b[34m",
        Level::INFO => "\x1b[32m",
        Level::WARN => "\x1b[33m",
        Level::ERROR => "\x1b[31m",
    }
}

/// Returns a field's name. `tracing` writes a name that is a Rust keyword as `r#type`.
fn name(field: &Field) -> &'static str {
    field.name().strip_prefix("r#").unwrap_or(field.name())
}

/// Returns the most bytes of a field's text.
fn limit(name: &str) -> usize {
    if SENTENCES.contains(&name) { MAX_TEXT_BYTES } else { MAX_NAME_BYTES }
}

/// A function that appends a text to a line of at most this many bytes, and returns the bytes of the text that it took.
type Push = fn(&mut String, &str, usize) -> usize;

/// Writes a text between quotes.
fn put_quoted(line: &mut String, text: &str, limit: usize) {
    line.push('"');
    put_str(line, text, limit, push_quoted);
    line.push('"');
}

/// Writes a text up to its limit.
fn put_str(line: &mut String, text: &str, limit: usize, push: Push) {
    let fitting = &text[..text.floor_char_boundary(limit)];
    let taken = push(line, fitting, MAX_FIELDS_BYTES);
    if taken < text.len() {
        push_clipped(line, text.len() - taken);
    }
}

/// Writes the `Debug` form of a value up to its limit.
fn put_debug(line: &mut String, value: &dyn fmt::Debug, limit: usize, push: Push) {
    let mut clipping = Clipping::new(limit, |text: &str| push(line, text, MAX_FIELDS_BYTES));
    // A value whose formatting fails is left half written.
    let _ = write!(clipping, "{value:?}");
    let missing = clipping.missing();
    if missing > 0 {
        push_clipped(line, missing);
    }
}

struct JsonFields<'a> {
    line: &'a mut String,
    left_out: u32,
}

impl JsonFields<'_> {
    /// Begins a field; `false` if there is no room for it.
    fn begin(&mut self, name: &str) -> bool {
        if self.line.len() + name.len() >= MAX_FIELDS_BYTES {
            self.left_out += 1;
            return false;
        }
        self.line.push_str(",\"");
        self.line.push_str(name);
        self.line.push_str("\":");
        true
    }

    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.begin(name(field)) {
            // Writing to a string cannot fail.
            let _ = self.line.write_fmt(value);
        }
    }
}

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let name = name(field);
        if self.begin(name) {
            put_quoted(self.line, value, limit(name));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = name(field);
        if self.begin(name) {
            self.line.push('"');
            put_debug(self.line, value, limit(name), push_quoted);
            self.line.push('"');
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.put(field, format_args!("{value:?}"));
        } else {
            self.put(field, format_args!("null"));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, format_args!("{value}"));
    }
}

struct TextFields<'a> {
    line: &'a mut String,
    left_out: u32,
    dim: &'static str,
    plain: &'static str,
}

impl TextFields<'_> {
    /// Begins a field; `false` if there is no room for it.
    fn begin(&mut self, name: &str) -> bool {
        if self.line.len() + name.len() >= MAX_FIELDS_BYTES {
            self.left_out += 1;
            return false;
        }
        self.line.push(' ');
        // The message needs no name.
        if name != "message" {
            let (dim, plain) = (self.dim, self.plain);
            // Writing to a string cannot fail.
            let _ = write!(self.line, "{dim}{name}={plain}");
        }
        true
    }
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let name = name(field);
        if self.begin(name) {
            put_quoted(self.line, value, limit(name));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = name(field);
        if self.begin(name) {
            put_debug(self.line, value, limit(name), push_escaped);
        }
    }
}

#[cfg(test)]
mod tests;
