//! One callback, as the journal has it: `Draft` while it is only in memory, with everything in it; `Entry` as it is on disk.

use std::borrow::Cow;
use std::io::Write as _;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::callback::model::Json;
use crate::callback::reply::Outgoing;
use crate::callback::reply::Reply;
use crate::journal::mask::Letters;
use crate::journal::mask::Masking;
use crate::journal::mask::Masks;
use crate::journal::members::Members;
use crate::journal::tape::Told;
use crate::secret::Secret;
use crate::steps::Span;
use crate::steps::Step;
use crate::steps::Steps;
use crate::telemetry::CallbackRecord;

/// What the format is called. Another number is another format, which is not read.
pub const VERSION: u32 = 1;

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

/// What is handed to the writer: cheap to make, because an answer waits meanwhile.
#[derive(Debug)]
pub struct Draft {
    /// What the log says of it.
    pub record: CallbackRecord,
    /// Milliseconds since the Unix epoch at which its first byte came.
    pub at_ms: u64,
    /// Whose click it is.
    pub user: Option<String>,
    /// As it came, decrypted.
    pub callback: Bytes,
    /// What was answered.
    pub reply: Reply,
    /// None where no plugin was called, or none in time.
    pub called: Option<Called>,
    /// What the plugin was given by its operator and shall not be written.
    pub secrets: Vec<Secret>,
}

impl Draft {
    /// About how much memory it holds.
    pub(super) fn size(&self) -> usize {
        let told = self.called.as_ref().map_or(0, |called| called.told.size());
        let reply = match self.reply.outgoing() {
            Outgoing::Body { json, .. } => json.len(),
            Outgoing::Accepted | Outgoing::Redeliver => 0,
        };
        size_of::<Self>() + self.callback.len() + reply + told
    }

    /// Writes it behind what is there, as an [`Entry`] that can be read; none if it is no callback. What is JSON already is
    /// copied and not read again.
    pub(super) fn write(
        &mut self,
        id: &str,
        masks: &Masks,
        letters: &mut Letters,
        into: &mut Vec<u8>,
    ) -> Option<()> {
        let mut masking = masks.begin(letters);
        self.secrets.iter().for_each(|secret| masking.secret(secret.expose()));
        // All of it is looked through before any of it is written: what is masked in one place is in all.
        let callback = masking.callback(std::str::from_utf8(&self.callback).ok()?)?;
        let said = match self.reply.outgoing() {
            Outgoing::Body { json, .. } => masking.other(std::str::from_utf8(json).ok()?)?,
            Outgoing::Accepted | Outgoing::Redeliver => Cow::default(),
        };
        let called = match self.called.take() {
            Some(called) => Some(called.masked(&mut masking)?),
            None => None,
        };
        let (callback, said) = (masking.everywhere(callback), masking.everywhere(said));
        let record = &self.record;
        let event_id = record.event_id.as_deref().map(|id| masking.without(id));
        let user = self.user.as_deref().map(|user| masking.without(user));
        let reason = record.reason.as_deref().map(|reason| masking.without(reason));
        let plugin = record.plugin.as_ref();
        let mut members = Members::begin(into);
        members.number("v", u64::from(VERSION));
        members.text("id", id);
        members.number("at_ms", self.at_ms);
        members.text("app", &*record.app);
        members.text("door", record.door.as_str());
        members.text("event_id", event_id.as_deref());
        members.text("type", record.event_type.as_str());
        members.text("user", user.as_deref());
        members.text("plugin", plugin.map(|plugin| &*plugin.name));
        members.text("version", plugin.map(|plugin| &*plugin.version));
        members.text("outcome", record.outcome.as_str());
        members.text("reason", reason.as_deref());
        let ms = record.elapsed.as_secs_f64() * 1000.0;
        members.value("ms", |into| write!(into, "{ms}")).ok()?;
        members.number("fuel", record.fuel);
        members.value("steps", |into| write_steps(&record.steps, into));
        members.json("callback", callback.as_bytes());
        members.value("reply", |into| write_reply(&self.reply, &said, into));
        members.value("called", |into| serde_json::to_writer(into, &called)).ok()?;
        members.end();
        Some(())
    }
}

/// [`StepSpan`]s.
fn write_steps(steps: &Steps, into: &mut Vec<u8>) {
    into.push(b'[');
    for (index, (step, span)) in steps.spans().into_iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        let mut members = Members::begin(into);
        members.text("step", step.as_str());
        members.number("at_us", span.at_us);
        members.number("took_us", span.took_us);
        members.end();
    }
    into.push(b']');
}

/// [`Said`]; `body` is what is left of it.
fn write_reply(reply: &Reply, body: &str, into: &mut Vec<u8>) {
    let status = match reply.outgoing() {
        Outgoing::Body { status, .. } => status,
        Outgoing::Accepted => return into.extend(br#""accepted""#),
        Outgoing::Redeliver => return into.extend(br#""redeliver""#),
    };
    let mut members = Members::begin(into);
    members.value("body", |into| {
        let mut members = Members::begin(into);
        members.number("status", u64::from(status));
        members.json("body", body.as_bytes());
        members.end();
    });
    members.end();
}

impl Called {
    fn masked(self, masking: &mut Masking<'_>) -> Option<Call> {
        let Self { by_json, fresh, mut told, mut updates } = self;
        let found = |masking: &mut Masking<'_>, text: &str| {
            masking.other(text).map_or_else(|| "null".to_owned(), Cow::into_owned)
        };
        updates.iter_mut().for_each(|card| *card = found(masking, card));
        told.each_value(&mut |value| found(masking, value));
        let everywhere =
            |masking: &mut Masking<'_>, text: &str| masking.everywhere(text.into()).into_owned();
        told.each_value(&mut |value| everywhere(masking, value));
        let updates = updates.iter().map(|card| RawValue::from_string(everywhere(masking, card)));
        Some(Call { by_json, fresh, told, updates: updates.collect::<Result<_, _>>().ok()? })
    }
}

/// One line of `aviary journal export`.
#[derive(Debug, Deserialize, Serialize)]
pub struct Entry {
    /// [`VERSION`].
    pub v: u32,
    /// Sorts by time.
    pub id: String,
    /// Milliseconds since the Unix epoch at which the first byte came.
    pub at_ms: u64,
    /// For which app.
    pub app: String,
    /// `webhook` or `long_connection`.
    pub door: String,
    /// The platform's.
    pub event_id: Option<String>,
    /// For example `card.action.trigger`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The `open_id` of whoever clicked or saw the link.
    pub user: Option<String>,
    /// Whose callback it was.
    pub plugin: Option<String>,
    /// The first 12 hex digits of its file's SHA-256.
    pub version: Option<String>,
    /// As in the log.
    pub outcome: String,
    /// As in the log.
    pub reason: Option<String>,
    /// From the first byte to the decision.
    pub ms: f64,
    /// What the call took.
    pub fuel: Option<u64>,
    /// Where the time went.
    pub steps: Vec<StepSpan>,
    /// As it came, decrypted; masked.
    pub callback: Box<RawValue>,
    /// What was answered.
    pub reply: Said,
    /// What the plugin was told; none where it was not called, or did not end in time.
    pub called: Option<Call>,
}

/// What was answered.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// A JSON object.
    Body {
        /// 200, but for an old card's custom reply.
        status: u16,
        /// The object.
        body: Box<RawValue>,
    },
    /// The event was taken.
    Accepted,
    /// It shall be sent again.
    Redeliver,
}

/// One step and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StepSpan {
    /// Which.
    pub step: Step,
    /// When, and for how long.
    #[serde(flatten)]
    pub span: Span,
}

/// See [`Called`].
#[derive(Debug, Deserialize, Serialize)]
pub struct Call {
    /// Whether `callback-handler` took it, or a command.
    pub by_json: bool,
    /// Whether its instance was made for it.
    pub fresh: bool,
    /// What it was told.
    pub told: Told,
    /// Cards that it wanted shown after the answer.
    pub updates: Vec<Box<RawValue>>,
}

impl Entry {
    /// Reads one, if it is of this format.
    pub fn read(json: &[u8]) -> Option<Self> {
        let entry: Self = serde_json::from_slice(json).ok()?;
        (entry.v == VERSION).then_some(entry)
    }

    /// Whether a call of it can be played again, or why not.
    pub fn to_play(&self) -> Result<&Call, NotPlayable> {
        let called = self.called.as_ref().ok_or(NotPlayable::NotCalled)?;
        if called.told.cut {
            return Err(NotPlayable::Cut);
        }
        Ok(called)
    }
}

/// Why a callback cannot be played again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPlayable {
    /// There is nothing to compare with.
    #[error("no plugin was called for it, or it did not end in time")]
    NotCalled,
    /// It would be told something else.
    #[error("the plugin was told more than the journal keeps of one call")]
    Cut,
}
