//! A callback between its answer and the thread that writes it down.

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

/// Everything about one callback.
#[derive(Debug)]
pub struct Draft {
    /// What the log says of it.
    pub record: CallbackRecord,
    /// Milliseconds since the Unix epoch at which its first byte came.
    pub at_ms: u64,
    /// As it came, decrypted.
    pub callback: Arc<Callback>,
    /// What was answered.
    pub reply: Reply,
    /// None where no plugin was called, or none in time.
    pub called: Option<Called>,
    /// What the plugin was given by its operator and shall not be written.
    pub secrets: Vec<Secret>,
}

/// A call of a plugin that ended before its answer was due.
#[derive(Clone, Debug)]
pub struct Called {
    /// Which kind of handler took it.
    pub by_json: bool,
    /// Whether its instance was made for it. What another call left behind cannot be played again.
    pub fresh: bool,
    /// What it was told.
    pub told: Told,
    /// Cards that it wanted shown after the answer.
    pub updates: Vec<Json>,
}

/// Drafts that wait. Their texts are copied, one behind the other, so that whoever made a draft frees what it was made of, in a
/// core's cache: memory that another thread gives back costs both of them more than the copy.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    waiting: Vec<Waiting>,
    texts: Vec<u8>,
    /// What else they hold, about.
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    facts: Facts,
    places: Places,
}

/// What is no text, or seldom there, or shared.
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
    pub(super) answer: Answer,
    pub(super) called: Option<Called>,
    pub(super) secrets: Vec<Secret>,
}

/// What kind of answer it was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Body { status: u16 },
    Accepted,
    Redeliver,
}

/// Where its texts are.
#[derive(Debug)]
struct Places {
    event_id: Option<Range<usize>>,
    event_type: Range<usize>,
    user: Option<Range<usize>>,
    callback: Range<usize>,
    body: Range<usize>,
}

/// Its texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    pub(super) event_id: Option<&'a str>,
    pub(super) event_type: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) callback: &'a str,
    /// Of the answer; empty where it has none.
    pub(super) body: &'a str,
}

impl Drafts {
    /// One more.
    pub(super) fn push(&mut self, draft: Draft) {
        let Draft { record, at_ms, callback, reply, called, secrets } = draft;
        let (answer, body) = match reply.outgoing() {
            Outgoing::Body { status, json } => (Answer::Body { status }, &json[..]),
            Outgoing::Accepted => (Answer::Accepted, &[][..]),
            Outgoing::Redeliver => (Answer::Redeliver, &[][..]),
        };
        let places = Places {
            event_id: record.event_id.as_ref().map(|id| self.copy(id.as_bytes())),
            event_type: self.copy(record.event_type.as_bytes()),
            user: callback.user().map(|user| self.copy(user.as_bytes())),
            callback: self.copy(&callback.body_bytes()),
            body: self.copy(body),
        };
        self.bytes += size_of::<Waiting>() + called.as_ref().map_or(0, |called| called.told.size());
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
        self.waiting.push(Waiting { facts, places });
    }

    fn copy(&mut self, text: &[u8]) -> Range<usize> {
        let from = self.texts.len();
        self.texts.extend_from_slice(text);
        from..self.texts.len()
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// About how much memory they hold.
    pub(super) fn bytes(&self) -> usize {
        self.texts.len() + self.bytes
    }

    /// All of them, in order; no texts where one is not UTF-8.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Facts, Option<Texts<'_>>)> {
        let texts = &self.texts;
        self.waiting.drain(..).map(|Waiting { facts, places }| (facts, places.of(texts)))
    }

    /// Nothing is left, and no more memory than `room` for texts: one flood is no reason to hold its for ever.
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
