//! Reads the host's log into a bounded buffer, and waits for lines to appear in it.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use aviary::telemetry::events;
use aviary::telemetry::events::LogEvent;
use aviary_state::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use crate::PATIENCE;

/// Lines that are kept. A test that floods the log still sees its end, and the harness stays small.
const CAPACITY: usize = 50_000;
/// Events that a host logs once, at its start, and that a test may ask for at any time: their lines are kept however many follow.
const SAID_ONCE: [LogEvent; 1] = [events::LISTENING];
/// Time between two checks whether reading goes on.
const LOOK: Duration = Duration::from_millis(10);
/// Lines that are shown when a wait fails.
const SHOWN_ON_FAILURE: usize = 60;

/// One line of a host's log.
#[derive(Clone, Debug)]
pub struct LogLine {
    text: String,
    json: Value,
}

impl LogLine {
    fn new(text: String) -> Self {
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { text, json }
    }

    /// Returns the line as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the line as JSON; null if it is not JSON.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Returns the `message` of the line.
    pub fn message(&self) -> &str {
        self.text_of("message")
    }

    /// Returns a field as text, empty if there is none.
    pub fn text_of(&self, field: &str) -> &str {
        self.json.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns a field as a number, whether it was written as a number or as text.
    pub fn number_of(&self, field: &str) -> Option<f64> {
        match self.json.get(field)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Returns true if the line reports that event, with these texts in these fields.
    pub fn is(&self, event: LogEvent, fields: &[(&str, &str)]) -> bool {
        self.message() == event.text()
            && fields.iter().all(|(name, text)| self.text_of(name) == *text)
    }
}

#[derive(Default)]
struct Lines {
    /// Lines of [`SAID_ONCE`] that are older than those in `kept`.
    lasting: Vec<LogLine>,
    kept: VecDeque<LogLine>,
    ended: bool,
    ignored: bool,
}

/// The log of one host.
#[derive(Clone)]
pub struct Log {
    lines: Arc<Mutex<Lines>>,
    written: Arc<watch::Sender<usize>>,
}

impl Log {
    /// Starts a thread that reads the log until the host closes its end.
    pub fn follow(source: impl std::io::Read + Send + 'static) -> Self {
        let log = Self { lines: Arc::default(), written: Arc::new(watch::Sender::new(0)) };
        let writer = log.clone();
        std::thread::spawn(move || {
            let mut reader = std::io::BufReader::new(source);
            let mut bytes = Vec::new();
            while matches!(reader.read_until(b'\n', &mut bytes), Ok(length) if length > 0) {
                writer.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
                bytes.clear();
                while writer.lines.lock().ignored {
                    std::thread::sleep(LOOK);
                }
            }
            writer.lines.lock().ended = true;
            writer.written.send_modify(|_| {});
        });
        log
    }

    /// Stops reading, like a log shipper that hangs, or resumes.
    pub fn ignore(&self, ignored: bool) {
        self.lines.lock().ignored = ignored;
    }

    fn push(&self, text: String) {
        let mut lines = self.lines.lock();
        if lines.kept.len() == CAPACITY
            && let Some(oldest) = lines.kept.pop_front()
            && SAID_ONCE.iter().any(|event| oldest.is(*event, &[]))
        {
            lines.lasting.push(oldest);
        }
        lines.kept.push_back(LogLine::new(text));
        drop(lines);
        self.written.send_modify(|count| *count += 1);
    }

    /// Returns the number of lines written so far.
    pub fn len(&self) -> usize {
        *self.written.borrow()
    }

    /// Returns true if nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the lines so far that `matches` accepts.
    pub fn lines(&self, matches: impl Fn(&LogLine) -> bool) -> Vec<LogLine> {
        let lines = self.lines.lock();
        lines.lasting.iter().chain(&lines.kept).filter(|line| matches(line)).cloned().collect()
    }

    /// Returns the lines after the first `count` that `matches` accepts, as far as they are still kept.
    pub fn lines_after(&self, count: usize, matches: impl Fn(&LogLine) -> bool) -> Vec<LogLine> {
        let lines = self.lines.lock();
        let new = self.len().saturating_sub(count).min(lines.kept.len());
        let skipped = lines.kept.len() - new;
        lines.kept.iter().skip(skipped).filter(|line| matches(line)).cloned().collect()
    }

    /// Returns the lines that are kept, as text.
    pub fn text(&self) -> String {
        self.lines.lock().kept.iter().map(LogLine::text).collect::<Vec<_>>().join("\n")
    }

    /// Waits for a line of that event with these fields, and returns the first.
    pub async fn wait_for(
        &self,
        event: LogEvent,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<LogLine> {
        let mut found = self.wait_for_count(1, event, fields).await?;
        Ok(found.swap_remove(0))
    }

    /// Waits for `count` lines of that event with these fields, and returns them.
    pub async fn wait_for_count(
        &self,
        count: usize,
        event: LogEvent,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Vec<LogLine>> {
        self.wait_for_count_within(PATIENCE, count, event, fields).await
    }

    /// Like [`Log::wait_for_count`], with a time limit of its own, for what takes longer than [`PATIENCE`].
    pub async fn wait_for_count_within(
        &self,
        patience: Duration,
        count: usize,
        event: LogEvent,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Vec<LogLine>> {
        let what = format!("{event} with {fields:?}");
        self.wait_for_lines(patience, count, &what, |line| line.is(event, fields)).await
    }

    /// Waits for a line that `matches` accepts, and returns the first.
    pub async fn wait_for_line(
        &self,
        what: &str,
        is_it: impl Fn(&LogLine) -> bool,
    ) -> anyhow::Result<LogLine> {
        let mut found = self.wait_for_lines(PATIENCE, 1, what, is_it).await?;
        Ok(found.swap_remove(0))
    }

    /// Waits for a line that contains the text, and returns the first: for output that is meant for people.
    pub async fn wait_for_text(&self, text: &str) -> anyhow::Result<LogLine> {
        self.wait_for_text_within(PATIENCE, text).await
    }

    /// Like [`Log::wait_for_text`], with a time limit of its own, for what takes longer than [`PATIENCE`].
    pub async fn wait_for_text_within(
        &self,
        patience: Duration,
        text: &str,
    ) -> anyhow::Result<LogLine> {
        let what = format!("with {text:?}");
        let holds = |line: &LogLine| line.text.contains(text);
        let mut found = self.wait_for_lines(patience, 1, &what, holds).await?;
        Ok(found.swap_remove(0))
    }

    async fn wait_for_lines(
        &self,
        patience: Duration,
        count: usize,
        what: &str,
        is_one: impl Fn(&LogLine) -> bool,
    ) -> anyhow::Result<Vec<LogLine>> {
        let mut written = self.written.subscribe();
        let waiting = async {
            loop {
                written.mark_unchanged();
                let found = self.lines(&is_one);
                if found.len() >= count {
                    return found;
                }
                if written.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(found) => Ok(found),
            Err(_) => bail!(
                "the log ends:\n{}\nno {count} line(s) {what} within {patience:?}",
                self.tail(SHOWN_ON_FAILURE)
            ),
        }
    }

    /// Waits until the host has closed its end and everything was read.
    pub async fn wait_for_end(&self) -> anyhow::Result<()> {
        let mut written = self.written.subscribe();
        let waiting = written.wait_for(|_| self.lines.lock().ended);
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(_) => Ok(()),
            Err(_) => bail!("the log does not end"),
        }
    }

    /// Returns the last lines, for a person.
    pub fn tail(&self, count: usize) -> String {
        let lines = self.lines.lock();
        let skipped = lines.kept.len().saturating_sub(count);
        lines.kept.iter().skip(skipped).map(LogLine::text).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_known_however_much_was_written_since() -> anyhow::Result<()> {
        let address = format!(
            r#"{{"message":"{}","what":"webhook","address":"127.0.0.1:1"}}"#,
            events::LISTENING
        );
        let mut written = format!("{address}\n");
        written += &"{\"message\":\"chatter\"}\n".repeat(CAPACITY + 1);
        let log = Log::follow(std::io::Cursor::new(written));
        log.wait_for_end().await?;
        let found = log.lines(|line| line.is(events::LISTENING, &[("what", "webhook")]));
        assert_eq!(found.iter().map(LogLine::text).collect::<Vec<_>>(), [address]);
        assert_eq!(log.lines(|line| line.message() == "chatter").len(), CAPACITY);
        Ok(())
    }
}
