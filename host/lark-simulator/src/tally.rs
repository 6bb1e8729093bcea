//! What the platform counted of one app.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use lark_wire::frame::Frame;

use crate::changes::Changes;
use crate::lock::lock;
use crate::record::Counters;

/// Stray answers kept per app: a test looks at a handful, and a runaway client must not fill memory.
const MAX_STRAY_ANSWERS: usize = 1024;

/// The mutable half of an app's statistics.
pub(super) struct Tally {
    seen: Mutex<Seen>,
    changes: Changes,
}

#[derive(Default)]
struct Seen {
    counters: Counters,
    last_ping: Option<Bytes>,
    stray_answers: VecDeque<Frame>,
}

impl Tally {
    pub(super) fn new(changes: Changes) -> Self {
        Self { seen: Mutex::default(), changes }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut lock(&self.seen).counters);
        self.changes.ring();
    }

    pub(super) fn ping(&self, bytes: Bytes) {
        {
            let mut seen = lock(&self.seen);
            seen.counters.pings += 1;
            seen.last_ping = Some(bytes);
        }
        self.changes.ring();
    }

    pub(super) fn stray_answer(&self, frame: Frame) {
        {
            let mut seen = lock(&self.seen);
            seen.counters.stray_answers += 1;
            if seen.stray_answers.len() == MAX_STRAY_ANSWERS {
                seen.stray_answers.pop_front();
            }
            seen.stray_answers.push_back(frame);
        }
        self.changes.ring();
    }

    pub(super) fn counters(&self) -> Counters {
        lock(&self.seen).counters
    }

    pub(super) fn last_ping(&self) -> Option<Bytes> {
        lock(&self.seen).last_ping.clone()
    }

    pub(super) fn stray_answers(&self) -> Vec<Frame> {
        lock(&self.seen).stray_answers.iter().cloned().collect()
    }
}
