//! Tests of written lines, for any logged text.

use std::io;
use std::sync::Arc;

use aviary_state::Mutex;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn written(format: LogFormat, say: impl Fn()) -> String {
    let written = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(written.clone())
        .with_ansi(false)
        .event_format(LineFormat(format))
        .finish();
    tracing::subscriber::with_default(subscriber, say);
    let bytes = written.0.lock().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_common_line_is_as_it_always_was() {
    let say = || {
        let absent: Option<&str> = None;
        let (fuel, ms, shown) = (Some(7_u64), 0.25, format_args!("a b"));
        tracing::info!(r#type = "t", absent, fuel, ms, yes = true, less = -1, %shown, "callback");
    };
    let json = written(LogFormat::Json, say);
    let (head, rest) = json.split_once(",\"level\"").unwrap();
    assert!(head.starts_with("{\"timestamp\":\"2") && head.ends_with("Z\""), "{head}");
    let fields = r#":"INFO","message":"callback","type":"t","fuel":7,"ms":0.25,"yes":true,"less":-1,"shown":"a b"}"#;
    assert_eq!(rest.trim_end(), fields);
    let text = written(LogFormat::Text, say);
    let (_, rest) = text.split_once(' ').unwrap();
    assert_eq!(rest, " INFO callback type=\"t\" fuel=7 ms=0.25 yes=true less=-1 shown=a b\n");
}

#[test]
fn no_text_breaks_a_line_or_controls_a_terminal() {
    let nasty = "x\n{\"level\":\"INFO\"}\u{1b}[2J\u{202e}\u{9b}";
    let say = || tracing::warn!(event_id = nasty, reason = %nasty, debug = ?nasty, "{nasty}");
    let json = written(LogFormat::Json, say);
    let text = written(LogFormat::Text, say);
    for line in [&json, &text] {
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(!line.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{line}");
    }
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["event_id"], nasty, "the text itself is not changed");
    assert_eq!(json["reason"], nasty);
    assert_eq!(json["message"], nasty);
}

#[test]
fn every_field_and_every_line_is_bounded() {
    let long = "字\"\u{1b}".repeat(1 << 20);
    let say = || {
        tracing::warn!(event_id = long, a = ?long, reason = %long, text = long, error = long, b = 1, "{long}");
    };
    for format in [LogFormat::Json, LogFormat::Text] {
        let line = written(format, say);
        assert!(line.len() <= MAX_LINE_BYTES, "{} bytes", line.len());
        assert!(line.contains("bytes clipped)"), "{line}");
        assert!(line.contains("fields_left_out"), "{line}");
        if format == LogFormat::Json {
            let json: Value = serde_json::from_str(&line).unwrap();
            assert!(json["message"].as_str().unwrap().len() < MAX_TEXT_BYTES + 100);
        }
    }
    let id = "i".repeat(4_000_000);
    let line = written(LogFormat::Json, || tracing::warn!(event_id = id, reason = "r", "callback"));
    let json: Value = serde_json::from_str(&line).unwrap();
    let said = json["event_id"].as_str().unwrap();
    assert_eq!(said, format!("{}… (3998976 bytes clipped)", "i".repeat(MAX_NAME_BYTES)));
    assert_eq!(json["reason"], "r", "one long field takes no other's place");
}
