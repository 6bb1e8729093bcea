//! What the platform counted of one app, and the bell that rings whenever something was seen.

use aviary_state::Latest;
use aviary_state::Mutex;
use bytes::Bytes;
use tokio::sync::watch;

use crate::ingress::long_connection::frame::Frame;
use crate::simulator::record::Counters;

/// Stray answers kept per app: a test looks at a handful, and a runaway client must not fill memory.
const MAX_STRAY_ANSWERS: usize = 1024;

/// Rings when anything was seen. Waiting on it replaces sleeping in tests.
#[derive(Clone)]
pub(super) struct Changes(watch::Sender<()>);

/// One listener of [`Changes`].
pub(super) struct Listener(watch::Receiver<()>);

impl Changes {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(super) fn ring(&self) {
        self.0.send_replace(());
    }

    pub(super) fn subscribe(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

impl Listener {
    /// Returns when it rang since the last time. Cancel safe.
    pub(super) async fn seen(&mut self) {
        if self.0.changed().await.is_err() {
            // The simulator is gone: nothing will change any more, and the caller's own time limit ends the wait.
            std::future::pending::<()>().await;
        }
    }
}

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
