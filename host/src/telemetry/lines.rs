//! Writes the lines of the log to standard error from a thread of its own, so that no answer waits for the reader of the log,
//! and several lines with one system call.

use std::io;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use aviary_state::Condvar;
use aviary_state::Mutex;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that may wait. Beyond that lines are dropped and counted: their reader has stopped.
const MOST_BYTES: usize = 4 << 20;
/// How long the first of several lines waits for others. No reader would notice the delay.
const TOGETHER: Duration = Duration::from_millis(5);
/// How long an ending process waits for its lines to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The queue to standard error, of which a process has one.
static LINES: OnceLock<Lines> = OnceLock::new();

/// The queue of lines.
#[derive(Clone)]
pub(super) struct Lines(Arc<LinesShared>);

#[derive(Default)]
struct LinesShared {
    waiting: Mutex<QueuedLines>,
    /// Signals new lines, and lines that were written.
    changed: Condvar,
}

#[derive(Default)]
struct QueuedLines {
    bytes: Vec<u8>,
    dropped: u64,
    /// True while the thread writes lines that it has taken.
    is_writing: bool,
    /// True once a caller waits in [`flush`].
    is_urgent: bool,
}

impl Lines {
    /// Returns the queue to standard error, and starts its thread on the first call.
    pub(super) fn start() -> io::Result<Self> {
        if let Some(lines) = LINES.get() {
            return Ok(lines.clone());
        }
        let lines = Self(Arc::default());
        let shared = Arc::clone(&lines.0);
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_for_ever())?;
        Ok(LINES.get_or_init(|| lines).clone())
    }

    fn put(&self, line: &[u8]) {
        let mut waiting = self.0.waiting.lock();
        if waiting.bytes.len() + line.len() > MOST_BYTES {
            waiting.dropped += 1;
            return;
        }
        let was_empty = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.0.changed.notify_all();
        }
    }
}

/// Waits until every line so far was written, but no longer than `LAST_WORDS` if nobody reads them. For the end of a process.
pub fn flush() {
    let Some(Lines(shared)) = LINES.get() else { return };
    let until = Instant::now() + LAST_WORDS;
    let mut waiting = shared.waiting.lock();
    waiting.is_urgent = true;
    shared.changed.notify_all();
    while waiting.is_writing || !waiting.bytes.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        waiting = shared.changed.wait_timeout(waiting, left);
    }
}

impl LinesShared {
    fn write_for_ever(&self) {
        let mut taken = Vec::new();
        loop {
            let dropped = self.take(&mut taken);
            // Nobody can be told that standard error is gone.
            let _ = io::stderr().write_all(&taken);
            if dropped > 0 {
                tracing::error!(dropped, "log lines dropped: standard error was not read");
            }
            taken.clear();
            self.waiting.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits for lines, and a little for more of them. Returns how many were dropped meanwhile.
    fn take(&self, taken: &mut Vec<u8>) -> u64 {
        let mut waiting = self.waiting.lock();
        while waiting.bytes.is_empty() {
            waiting = self.changed.wait(waiting);
        }
        let since = Instant::now();
        while !waiting.is_urgent && since.elapsed() < TOGETHER {
            let left = TOGETHER.saturating_sub(since.elapsed());
            waiting = self.changed.wait_timeout(waiting, left);
        }
        std::mem::swap(&mut waiting.bytes, taken);
        waiting.is_writing = true;
        std::mem::take(&mut waiting.dropped)
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (lines, line) = (Lines(Arc::default()), vec![b'a'; 1 << 20]);
        for _ in 0..6 {
            lines.put(&line);
        }
        let mut taken = Vec::new();
        assert_eq!(lines.0.take(&mut taken), 2);
        assert_eq!(taken.len(), MOST_BYTES);
        lines.put(b"b");
        taken.clear();
        assert_eq!(lines.0.take(&mut taken), 0, "there is room again");
        assert_eq!(taken, b"b");
    }
}
