//! Counts and observations of one app.

use aviary_state::Latest;
use aviary_state::Mutex;
use bytes::Bytes;
use lark_wire::frame::Frame;

use crate::changes::Changes;
use crate::record::Counters;

/// Most stray answers per app: a test looks at a handful, and a runaway client must not fill memory.
const MAX_STRAY_ANSWERS: usize = 1024;

/// The mutable half of an app's statistics.
pub(super) struct Tally {
    seen: Mutex<Seen>,
    changes: Changes,
}

struct Seen {
    counters: Counters,
    last_ping: Option<Bytes>,
    stray_answers: Latest<Frame>,
}

impl Default for Seen {
    fn default() -> Self {
        let stray_answers = Latest::new(MAX_STRAY_ANSWERS);
        Self { counters: Counters::default(), last_ping: None, stray_answers }
    }
}

impl Tally {
    pub(super) fn new(changes: Changes) -> Self {
        Self { seen: Mutex::default(), changes }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.seen.lock().counters);
        self.changes.ring();
    }

    pub(super) fn ping(&self, bytes: Bytes) {
        {
            let mut seen = self.seen.lock();
            seen.counters.pings += 1;
            seen.last_ping = Some(bytes);
        }
        self.changes.ring();
    }

    pub(super) fn stray_answer(&self, frame: Frame) {
        {
            let mut seen = self.seen.lock();
            seen.counters.stray_answers += 1;
            seen.stray_answers.push(frame);
        }
        self.changes.ring();
    }

    pub(super) fn counters(&self) -> Counters {
        self.seen.lock().counters
    }

    pub(super) fn last_ping(&self) -> Option<Bytes> {
        self.seen.lock().last_ping.clone()
    }

    pub(super) fn stray_answers(&self) -> Vec<Frame> {
        self.seen.lock().stray_answers.iter().cloned().collect()
    }
}
