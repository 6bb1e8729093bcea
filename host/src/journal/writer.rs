//! The thread that writes, and the way to it. Who has something to write leaves it and goes on; where the thread cannot keep up,
//! it is dropped and counted, and no answer is later for it.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::journal::config::JournalSettings;
use crate::journal::entry::Draft;
use crate::journal::mask::Letters;
use crate::journal::mask::Masks;
use crate::journal::ring::Ring;
use crate::journal::segment;
use crate::journal::segment::NotAppended;
use crate::telemetry::metrics;

/// Drafts that may wait: a tenth of a second of the most that a host of two cores answers.
const MOST_WAITING: usize = 4096;
/// Their memory.
const MOST_BYTES: usize = 32 << 20;
/// How long the thread rests between two looks, so that not each callback wakes it: a kill loses as much.
const REST: Duration = Duration::from_millis(20);
/// So many end its rest: what they hold is still in a core's cache then, and to write them takes it no longer than a few calls.
const ENOUGH: usize = 64;
/// How long a host that stops waits for the rest of it.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The most that is written at once.
const BATCH: usize = 1 << 20;

/// The way to a journal that is on.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Handle>);

/// What ends the thread when nobody has it any more.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.filled.notify_one();
    }
}

#[derive(Debug)]
struct Shared {
    settings: JournalSettings,
    root: [u8; 32],
    seeds: AtomicU64,
    queue: Mutex<Queue>,
    filled: Condvar,
    emptied: Condvar,
}

/// In boxes: who leaves one moves no more than its address.
type Drafts = Vec<Box<Draft>>;

#[derive(Debug, Default)]
struct Queue {
    drafts: Drafts,
    bytes: usize,
    /// How many of them the thread waits for; none while it writes.
    wanted: Option<usize>,
    is_closed: bool,
    has_ended: bool,
}

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Its folder cannot be used.
    #[error("journal.path: {}: {error}", folder.display())]
    Folder {
        /// Which.
        folder: std::path::PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// The system has no randomness.
    #[error("the system gives no random numbers, without which nothing can be masked")]
    Random,
}

impl Journal {
    /// Begins a new file, and the thread.
    pub fn open(settings: &JournalSettings) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Folder { folder: settings.folder.clone(), error };
        let ring = Ring::open(settings).map_err(failed)?;
        let mut root = [0; 32];
        let random = rustls::crypto::ring::default_provider().secure_random;
        random.fill(&mut root).map_err(|_| JournalError::Random)?;
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            root,
            seeds: AtomicU64::new(0),
            queue: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        });
        let writing = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writing.run(ring))
            .map_err(failed)?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Where it is.
    pub fn settings(&self) -> &JournalSettings {
        &self.0.0.settings
    }

    /// What the randomness of one call is made from. Nobody can tell from it what another one's was.
    pub fn seed(&self) -> [u8; 32] {
        self.0.0.seed()
    }

    /// Leaves it to be written, if there is room.
    pub fn submit(&self, draft: Box<Draft>) {
        let size = draft.size();
        let shared = &self.0.0;
        let mut queue = shared.lock();
        if queue.is_closed || queue.drafts.len() >= MOST_WAITING || queue.bytes + size > MOST_BYTES
        {
            drop(queue);
            metrics::record_journal_drop("queue_full", 1);
            return;
        }
        queue.bytes += size;
        queue.drafts.push(draft);
        let waiting = queue.drafts.len();
        let wake = queue.wanted.take_if(|wanted| *wanted <= waiting).is_some();
        drop(queue);
        if wake {
            shared.filled.notify_one();
        }
    }

    /// Takes no more, and waits a moment until what was left is written.
    pub fn close(&self) {
        let shared = &self.0.0;
        let mut queue = shared.lock();
        queue.is_closed = true;
        shared.filled.notify_one();
        let ended = shared.emptied.wait_timeout_while(queue, LAST_WORDS, |queue| !queue.has_ended);
        if ended.is_ok_and(|(_, waited)| waited.timed_out()) {
            tracing::warn!("the journal is slow: its last callbacks are lost");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seed(&self) -> [u8; 32] {
        let number = self.seeds.fetch_add(1, Ordering::Relaxed);
        *blake3::keyed_hash(&self.root, &number.to_le_bytes()).as_bytes()
    }

    fn run(&self, mut ring: Ring) {
        let masks = Masks::new(&self.settings.mask);
        let mut letters = Letters::new(self.seed());
        let mut numbers = 0;
        let mut has_failed = false;
        let mut framed = Vec::new();
        // Its room goes back and forth: nothing that waits is moved because others come.
        let mut drafts = Vec::new();
        while self.next(&mut drafts) {
            let mut count = 0;
            for mut draft in drafts.drain(..) {
                numbers = u16::wrapping_add(numbers, 1);
                let id = id(draft.at_ms, numbers);
                let text = |into: &mut Vec<u8>| draft.write(&id, &masks, &mut letters, into);
                match segment::append(&mut framed, text) {
                    Ok(()) => count += 1,
                    Err(NotAppended::TooLong) => metrics::record_journal_drop("too_large", 1),
                    Err(NotAppended::Unreadable) => metrics::record_journal_drop("unreadable", 1),
                }
                if framed.len() >= BATCH {
                    write(&mut ring, &mut framed, &mut count, &mut has_failed);
                }
            }
            write(&mut ring, &mut framed, &mut count, &mut has_failed);
            self.rest();
        }
        self.lock().has_ended = true;
        self.emptied.notify_all();
    }

    /// Until enough waits, or for so long.
    fn rest(&self) {
        let mut queue = self.lock();
        queue.wanted = Some(ENOUGH);
        let goes_on = |queue: &mut Queue| queue.wanted.is_some() && !queue.is_closed;
        drop(self.filled.wait_timeout_while(queue, REST, goes_on));
    }

    /// What waits, as soon as something does. `false`: there will be nothing more.
    fn next(&self, taken: &mut Drafts) -> bool {
        let mut queue = self.lock();
        while queue.drafts.is_empty() {
            if queue.is_closed {
                return false;
            }
            queue.wanted = Some(1);
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.wanted = None;
        queue.bytes = 0;
        std::mem::swap(taken, &mut queue.drafts);
        true
    }
}

/// Sorts by time, and tells callbacks of one millisecond apart.
fn id(at_ms: u64, number: u16) -> String {
    hex::encode(((at_ms << u16::BITS) | u64::from(number)).to_be_bytes())
}

fn write(ring: &mut Ring, framed: &mut Vec<u8>, count: &mut u64, has_failed: &mut bool) {
    match ring.write(framed) {
        Ok(()) => {
            *has_failed = false;
            metrics::record_journal_entries(*count);
        }
        Err(error) => {
            if !*has_failed {
                tracing::error!(%error, "the journal cannot be written, callbacks are missing from it");
            }
            *has_failed = true;
            metrics::record_journal_drop("write_failed", *count);
        }
    }
    framed.clear();
    *count = 0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::reply::Reply;
    use crate::steps::Steps;
    use crate::telemetry::CallbackRecord;
    use crate::telemetry::Door;
    use crate::telemetry::Outcome;

    fn draft(callback: &'static str) -> Box<Draft> {
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
        Box::new(Draft {
            record,
            at_ms: 0,
            user: None,
            callback: callback.as_bytes().into(),
            reply: Reply::accepted(),
            called: None,
            secrets: Vec::new(),
        })
    }

    fn settings(folder: &std::path::Path) -> JournalSettings {
        let (max_bytes, max_age) = (1 << 20, Duration::from_secs(3600));
        JournalSettings { folder: folder.to_owned(), max_bytes, max_age, mask: Vec::new() }
    }

    #[test]
    fn where_nobody_writes_it_is_dropped_and_nobody_waits() {
        let shared = Shared {
            settings: settings(std::path::Path::new("none")),
            root: [0; 32],
            seeds: AtomicU64::new(0),
            queue: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        };
        let journal = Journal(Arc::new(Handle(Arc::new(shared))));
        for _ in 0..MOST_WAITING + 10 {
            journal.submit(draft("{}"));
        }
        assert_eq!(journal.0.0.lock().drafts.len(), MOST_WAITING);
    }

    #[test]
    fn what_was_left_before_the_end_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&settings(folder.path())).unwrap();
        journal.submit(draft("{}"));
        journal.submit(draft("no callback at all"));
        journal.close();
        let filter = crate::journal::filter::Filter::default();
        let written = crate::journal::ring::last(folder.path(), &filter, 10).unwrap();
        assert_eq!(written.len(), 1, "what is no JSON is none");
    }

    #[test]
    fn no_two_calls_have_the_same_randomness() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&settings(folder.path())).unwrap();
        assert_ne!(journal.seed(), journal.seed());
    }
}
