//! A callback that has its answer and waits for the thread that writes the journal.

use std::ops::Range;
use std::sync::Arc;

use lark_wire::secret::Secret;

use crate::callback::model::Callback;
use crate::callback::model::Json;
use crate::callback::reply::Outgoing;
use crate::callback::reply::Reply;
use crate::record::CallbackRecord;
use crate::record::Door;
use crate::record::Outcome;
use crate::record::PluginVersion;
use crate::steps::Step;
use crate::tape::told::Told;

/// Everything that the journal needs to know of one callback.
#[derive(Debug)]
pub struct Draft {
    /// The record that the log line is made from.
    pub record: CallbackRecord,
    /// Arrival of its first byte, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The callback as it came, decrypted.
    pub callback: Arc<Callback>,
    /// The answer that was chosen for the callback.
    pub reply: Reply,
    /// The call; `None` if no plugin was called, or none ended in time.
    pub called: Option<Called>,
    /// Secrets that the plugin has from its operator. They are masked wherever they occur.
    pub secrets: Vec<Secret>,
}

/// A call of a plugin that ended before its answer was due.
#[derive(Clone, Debug)]
pub struct Called {
    /// True if `callback-handler` or a command took the callback, false for a handler of one type.
    pub by_json: bool,
    /// True if the instance was made for this call. Otherwise earlier calls may have left state in it, which cannot be
    /// replayed.
    pub fresh: bool,
    /// The results of its host calls, and its readings of clocks.
    pub told: Told,
    /// Cards that the plugin deferred, to be shown after the answer.
    pub updates: Vec<Json>,
}

/// Drafts that wait. Their texts are copied into one buffer, so that the thread that made a draft frees the originals while
/// they are in its core's cache: memory that another thread frees costs both threads more than the copy.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    waiting: Vec<QueuedDraft>,
    texts: Vec<u8>,
    /// Estimated memory of everything but the texts, in bytes.
    bytes: usize,
}

#[derive(Debug)]
struct QueuedDraft {
    facts: Facts,
    places: Places,
}

/// The parts of a draft that are not text, or are rare, or are shared.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) at_ms: u64,
    pub(super) app: Arc<str>,
    pub(super) door: Door,
    pub(super) plugin: Option<PluginVersion>,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) took_us: u64,
    pub(super) fuel: Option<u64>,
    pub(super) steps_us: [Option<u64>; Step::ALL.len()],
    pub(super) answer: DraftAnswer,
    pub(super) called: Option<Called>,
    pub(super) secrets: Vec<Secret>,
}

/// The kind of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum DraftAnswer {
    Body { status: u16 },
    Accepted,
    Redeliver,
}

/// The ranges of a draft's texts in the buffer.
#[derive(Debug)]
struct Places {
    event_id: Option<Range<usize>>,
    event_type: Range<usize>,
    user: Option<Range<usize>>,
    callback: Range<usize>,
    body: Range<usize>,
}

/// The texts of a draft.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    pub(super) event_id: Option<&'a str>,
    pub(super) event_type: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) callback: &'a str,
    /// The body of the answer; empty if it has none.
    pub(super) body: &'a str,
}

impl Drafts {
    /// Adds a draft, and copies its texts.
    pub(super) fn push(&mut self, draft: Draft) {
        let Draft { record, at_ms, callback, reply, called, secrets } = draft;
        let (answer, body) = match reply.outgoing() {
            Outgoing::Body { status, json } => (DraftAnswer::Body { status }, &json[..]),
            Outgoing::Accepted => (DraftAnswer::Accepted, &[][..]),
            Outgoing::Redeliver => (DraftAnswer::Redeliver, &[][..]),
        };
        let places = Places {
            event_id: record.event_id.as_ref().map(|id| self.copy(id.as_bytes())),
            event_type: self.copy(record.event_type.as_bytes()),
            user: callback.user().map(|user| self.copy(user.as_bytes())),
            callback: self.copy(&callback.body_bytes()),
            body: self.copy(body),
        };
        self.bytes +=
            size_of::<QueuedDraft>() + called.as_ref().map_or(0, |called| called.told.size());
        let mut steps_us = [None; Step::ALL.len()];
        record.steps.spans().for_each(|(step, span)| steps_us[step as usize] = Some(span.took_us));
        let facts = Facts {
            at_ms,
            app: record.app,
            door: record.door,
            plugin: record.plugin,
            outcome: record.outcome,
            reason: record.reason,
            took_us: u64::try_from(record.elapsed.as_micros()).unwrap_or(u64::MAX),
            fuel: record.fuel,
            steps_us,
            answer,
            called,
            secrets,
        };
        self.waiting.push(QueuedDraft { facts, places });
    }

    fn copy(&mut self, text: &[u8]) -> Range<usize> {
        let from = self.texts.len();
        self.texts.extend_from_slice(text);
        from..self.texts.len()
    }

    /// Returns the number of drafts.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the estimated memory of the drafts, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.texts.len() + self.bytes
    }

    /// Removes all drafts and returns them in order. The texts are `None` if one of them is not UTF-8.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Facts, Option<Texts<'_>>)> {
        let texts = &self.texts;
        self.waiting.drain(..).map(|QueuedDraft { facts, places }| (facts, places.of(texts)))
    }

    /// Removes everything, and keeps at most `room` bytes of memory for texts, so that one flood does not hold its memory for
    /// ever.
    pub(super) fn clear(&mut self, room: usize) {
        self.waiting.clear();
        self.texts.clear();
        self.texts.shrink_to(room);
        self.bytes = 0;
    }
}

impl Places {
    fn of(self, texts: &[u8]) -> Option<Texts<'_>> {
        let text = |place| std::str::from_utf8(texts.get::<Range<usize>>(place)?).ok();
        Some(Texts {
            event_id: self.event_id.and_then(text),
            event_type: text(self.event_type)?,
            user: self.user.and_then(text),
            callback: text(self.callback)?,
            body: text(self.body)?,
        })
    }
}
