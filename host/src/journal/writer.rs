//! The thread that writes the journal, and the queue to it. Callers queue a draft and go on; if the thread cannot keep up,
//! drafts are dropped and counted, and no answer is delayed.

use std::sync::Arc;
use std::time::Duration;

use aviary_state::Condvar;
use aviary_state::Mutex;

use crate::journal::config::JournalSettings;
use crate::journal::draft::Draft;
use crate::journal::draft::Drafts;
use crate::journal::entry;
use crate::journal::mask::Masks;
use crate::journal::ring::Ring;
use crate::journal::segment;
use crate::journal::segment::NotAppended;
use crate::telemetry::metrics;

/// Most drafts in the queue: the answers of a host with two cores in a tenth of a second.
const MOST_WAITING: usize = 4096;
/// Limit of the memory of queued drafts, in bytes.
const MOST_BYTES: usize = 32 << 20;
/// How long the thread rests between two batches, so that not every callback wakes it. A killed host loses the
/// callbacks of that time.
const REST: Duration = Duration::from_millis(20);
/// Number of drafts that end the rest early: their memory is still in a core's cache then, and writing them takes the core no
/// longer than a few calls.
const ENOUGH: usize = 64;
/// Longest time that a stopping host waits for the remaining drafts.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes that are written at once, and bytes of buffers that are kept afterwards.
const BATCH: usize = 1 << 20;

/// Handle of a running journal.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Handle>);

/// Ends the thread when the last handle is dropped.
#[derive(Debug)]
struct Handle(Arc<WriterShared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.queue.lock().is_closed = true;
        self.0.filled.notify_one();
    }
}

#[derive(Debug)]
struct WriterShared {
    settings: JournalSettings,
    queue: Mutex<Queue>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    drafts: Drafts,
    /// Number of drafts that wakes the thread; `None` while it writes.
    wanted: Option<usize>,
    is_closed: bool,
    has_ended: bool,
}

/// The reason why the journal could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The folder cannot be used.
    #[error("journal.path: {}: {error}", folder.display())]
    Folder {
        /// The folder of the journal.
        folder: std::path::PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
}

impl Journal {
    /// Begins a new file, and starts the thread.
    pub fn open(settings: &JournalSettings) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Folder { folder: settings.folder.clone(), error };
        let ring = Ring::open(settings).map_err(failed)?;
        let shared = Arc::new(WriterShared::new(settings));
        let writing = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writing.run(ring))
            .map_err(failed)?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Returns the settings that the journal was opened with.
    pub fn settings(&self) -> &JournalSettings {
        &self.0.0.settings
    }

    /// Queues a draft, or drops and counts it if the queue is full.
    pub fn submit(&self, draft: Draft) {
        if !self.0.0.submit(draft) {
            metrics::record_journal_drop("queue_full", 1);
        }
    }

    /// Takes no more drafts, and waits up to `LAST_WORDS` until the queued ones are written.
    pub fn close(&self) {
        let shared = &self.0.0;
        let mut queue = shared.queue.lock();
        queue.is_closed = true;
        shared.filled.notify_one();
        let ended = shared.emptied.wait_timeout_while(queue, LAST_WORDS, |queue| !queue.has_ended);
        if !ended {
            tracing::warn!("the journal is slow: its last callbacks are lost");
        }
    }
}

impl WriterShared {
    fn new(settings: &JournalSettings) -> Self {
        Self {
            settings: settings.clone(),
            queue: Mutex::default(),
            filled: Condvar::default(),
            emptied: Condvar::default(),
        }
    }

    /// Queues a draft. Returns `false` if there is no room, or the journal is closed.
    fn submit(&self, draft: Draft) -> bool {
        let mut queue = self.queue.lock();
        let drafts = &mut queue.drafts;
        if drafts.len() >= MOST_WAITING || drafts.bytes() >= MOST_BYTES || queue.is_closed {
            return false;
        }
        queue.drafts.push(draft);
        let waiting = queue.drafts.len();
        let wake = queue.wanted.take_if(|wanted| *wanted <= waiting).is_some();
        drop(queue);
        if wake {
            self.filled.notify_one();
        }
        true
    }

    fn run(&self, ring: Ring) {
        let masks = Masks::new(&self.settings.mask);
        let mut batch = EntryBatch::new(ring);
        let mut numbers = 0;
        // The two buffers are swapped, so that no waiting draft is moved because others come.
        let mut drafts = Drafts::default();
        while self.next(&mut drafts) {
            let mut hex = hex::Buffer::<8>::new();
            for (facts, texts) in drafts.drain() {
                numbers = u16::wrapping_add(numbers, 1);
                let id = hex.format(&id(facts.at_ms, numbers));
                batch.add(|into| entry::write(id, facts, texts?, &masks, into));
            }
            drafts.clear(BATCH);
            batch.write();
            self.rest();
        }
        self.queue.lock().has_ended = true;
        self.emptied.notify_all();
    }

    /// Waits until `ENOUGH` drafts are queued, but no longer than `REST`.
    fn rest(&self) {
        let mut queue = self.queue.lock();
        queue.wanted = Some(ENOUGH);
        let goes_on = |queue: &mut Queue| queue.wanted.is_some() && !queue.is_closed;
        self.filled.wait_timeout_while(queue, REST, goes_on);
    }

    /// Takes the queued drafts, and waits if there are none. Returns `false` when the journal is closed and empty.
    fn next(&self, taken: &mut Drafts) -> bool {
        let mut queue = self.queue.lock();
        while queue.drafts.len() == 0 {
            if queue.is_closed {
                return false;
            }
            queue.wanted = Some(1);
            queue = self.filled.wait(queue);
        }
        queue.wanted = None;
        std::mem::swap(taken, &mut queue.drafts);
        true
    }
}

/// Makes an id that sorts by time and differs for callbacks of the same millisecond.
fn id(at_ms: u64, number: u16) -> [u8; 8] {
    ((at_ms << u16::BITS) | u64::from(number)).to_be_bytes()
}

/// Records that are written together.
struct EntryBatch {
    ring: Ring,
    framed: Vec<u8>,
    count: u64,
    has_failed: bool,
}

impl EntryBatch {
    fn new(ring: Ring) -> Self {
        Self { ring, framed: Vec::new(), count: 0, has_failed: false }
    }

    /// Adds a record with the text that `write` writes, and writes the batch once it is full.
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) {
        let most = self.ring.longest_record();
        match segment::append(&mut self.framed, most, write) {
            Ok(()) => self.count += 1,
            Err(NotAppended::TooLong) => metrics::record_journal_drop("too_large", 1),
            Err(NotAppended::Unreadable) => metrics::record_journal_drop("unreadable", 1),
        }
        if self.framed.len() >= BATCH.min(most) {
            self.write();
        }
    }

    fn write(&mut self) {
        match self.ring.write(&self.framed) {
            Ok(()) => {
                self.has_failed = false;
                metrics::record_journal_entries(self.count);
            }
            Err(error) => {
                if !self.has_failed {
                    tracing::error!(%error, "journal: write failed, callbacks are missing from it");
                }
                self.has_failed = true;
                metrics::record_journal_drop("write_failed", self.count);
            }
        }
        self.framed.clear();
        self.framed.shrink_to(BATCH);
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::plain;
    use crate::callback::reply::Reply;
    use crate::record::CallbackRecord;
    use crate::record::Door;
    use crate::record::Outcome;
    use crate::steps::Steps;

    fn draft() -> Draft {
        let callback =
            br#"{"schema":"2.0","header":{"event_id":"1","event_type":"event"},"event":{}}"#;
        let record = CallbackRecord {
            app: "app".into(),
            door: Door::Webhook,
            event_id: None,
            event_type: "event".to_owned(),
            plugin: None,
            fuel: None,
            elapsed: Duration::ZERO,
            outcome: Outcome::NoHandler,
            reason: None,
            steps: Steps::starting(tokio::time::Instant::now()),
            host_calls: Arc::default(),
        };
        Draft {
            record,
            at_ms: 0,
            callback: Arc::new(plain::read(callback[..].into()).unwrap()),
            reply: Reply::accepted(),
            called: None,
            secrets: Vec::new(),
        }
    }

    fn settings(folder: &std::path::Path) -> JournalSettings {
        let (max_bytes, max_age) = (1 << 20, Duration::from_secs(3600));
        JournalSettings { folder: folder.to_owned(), max_bytes, max_age, mask: Vec::new() }
    }

    #[test]
    fn where_nobody_writes_it_is_dropped_and_nobody_waits() {
        let shared = WriterShared::new(&settings(std::path::Path::new("none")));
        let kept = (0..MOST_WAITING + 10).filter(|_| shared.submit(draft())).count();
        assert_eq!(kept, MOST_WAITING);
    }

    #[test]
    fn what_was_left_before_the_end_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&settings(folder.path())).unwrap();
        journal.submit(draft());
        journal.submit(Draft { callback: Arc::default(), ..draft() });
        journal.close();
        let filter = crate::journal::filter::Filter::default();
        let written = crate::journal::ring::last(folder.path(), &filter, 10).unwrap();
        assert_eq!(written.len(), 1, "what is no JSON is none");
    }
}
