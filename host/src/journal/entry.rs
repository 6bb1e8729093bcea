//! One callback, as it is on disk.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::journal::draft::Answer;
use crate::journal::draft::Called;
use crate::journal::draft::Facts;
use crate::journal::draft::Texts;
use crate::journal::mask::Masking;
use crate::journal::mask::Masks;
use crate::journal::members::Members;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::record::Outcome;
use crate::steps::Step;
use crate::tape::told::Told;
use named_fields;

/// What the format is called. Another number is another format, which is not read.
pub const VERSION: u32 = 2;

/// Writes it behind what is there, as an [`Entry`] that can be read; none if it is no callback. What is JSON already is copied
/// and not read again.
pub(super) fn write(
    id: &str,
    facts: Facts,
    texts: Texts<'_>,
    masks: &Masks,
    into: &mut Vec<u8>,
) -> Option<()> {
    let mut masking = masks.begin();
    facts.secrets.iter().for_each(|secret| masking.secret(secret.expose()));
    // All of it is looked through before any of it is written: what is masked in one place is in all.
    let callback = masking.callback(texts.callback)?;
    let body = masking.other(texts.body)?;
    let called = facts.called.map(|called| called.found(&mut masking));
    let reason = facts.reason.as_deref().map(|reason| masking.text(reason));
    let (callback, body) = (masking.everywhere(callback), masking.everywhere(body));
    let reason = reason.map(|reason| masking.without(&reason).into_owned());
    let called = match called {
        Some(called) => {
            // Where nothing of it was masked, nothing stands in.
            let body = matches!(body, Cow::Owned(_)).then_some(&*body);
            let besides: Vec<_> = body.into_iter().chain(reason.as_deref()).collect();
            Some(called.masked(&mut masking, &besides)?)
        }
        None => None,
    };
    let without = |text| masking.without(text);
    let (event_id, user) = (texts.event_id.map(without), texts.user.map(without));
    // After it was masked, so that no half of a secret is left.
    let reason = reason.as_deref().map(|reason| clipped(reason, MAX_TEXT_BYTES));
    let plugin = facts.plugin.as_ref();
    let mut members = Members::begin(into);
    members.number("v", u64::from(VERSION));
    members.text("id", id);
    members.number("at_ms", facts.at_ms);
    members.text("app", &*facts.app);
    members.text("door", facts.door.as_str());
    members.text("event_id", event_id.as_deref());
    members.text("type", texts.event_type);
    members.text("user", user.as_deref());
    members.text("plugin", plugin.map(|plugin| &*plugin.name));
    members.text("version", plugin.map(|plugin| &*plugin.version));
    members.text("outcome", facts.outcome.as_str());
    members.text("reason", reason.as_deref());
    members.number("took_us", facts.took_us);
    members.number("fuel", facts.fuel);
    members.value("steps_us", |into| write_steps(facts.steps_us, into));
    members.json("callback", callback.as_bytes());
    members.value("reply", |into| write_reply(facts.answer, &body, into));
    if let Some(called) = called {
        members.value("called", |into| serde_json::to_writer(into, &called)).ok()?;
    }
    members.end();
    Some(())
}

/// `steps_us` of an [`Entry`].
fn write_steps(steps_us: [Option<u64>; Step::ALL.len()], into: &mut Vec<u8>) {
    let mut members = Members::begin(into);
    for (step, took_us) in Step::ALL.into_iter().zip(steps_us) {
        members.number(step.as_str(), took_us);
    }
    members.end();
}

/// [`Said`]; `body` is what is left of it.
fn write_reply(answer: Answer, body: &str, into: &mut Vec<u8>) {
    let status = match answer {
        Answer::Body { status } => status,
        Answer::Accepted => return into.extend(br#""accepted""#),
        Answer::Redeliver => return into.extend(br#""redeliver""#),
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
    /// After its own credentials were found and masked.
    fn found(mut self, masking: &mut Masking<'_>) -> Self {
        for card in &mut self.updates {
            *card = masking.other(card).map_or_else(|| "null".to_owned(), Cow::into_owned);
        }
        self.told.each_value(&mut |value| match masking.exchanged(value) {
            Some(Cow::Borrowed(_)) => None,
            Some(Cow::Owned(masked)) => Some(masked),
            None => Some("null".to_owned()),
        });
        self
    }

    /// After what was found elsewhere was masked too. What it said besides is masked already.
    fn masked(self, masking: &mut Masking<'_>, besides: &[&str]) -> Option<Call> {
        let Self { by_json, fresh, mut told, mut updates } = self;
        for card in &mut updates {
            *card = masking.everywhere(card.as_str().into()).into_owned();
        }
        told.each_value(&mut |value| match masking.everywhere(value.into()) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked),
        });
        let mut said: Vec<&str> = updates.iter().map(String::as_str).collect();
        said.extend(besides.iter().map(|text| &**text));
        let exchanged: Vec<_> = told.calls.iter().map(|call| call.asked.to_string()).collect();
        said.extend(exchanged.iter().map(String::as_str));
        if !said.is_empty() {
            told.stand_ins = masking.stand_ins(&said);
        }
        let updates = updates.into_iter().map(RawValue::from_string);
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
    /// How the callback ended.
    pub outcome: Outcome,
    /// As in the log.
    pub reason: Option<String>,
    /// Microseconds from the first byte to the decision.
    pub took_us: u64,
    /// What the call took.
    pub fuel: Option<u64>,
    /// Where the time went, in microseconds. Each began where the one before ended.
    pub steps_us: BTreeMap<Step, u64>,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Box<RawValue>>,
}

impl Entry {
    /// Reads one, if it is of this format.
    pub fn read(json: &[u8]) -> Option<Self> {
        let entry: Self = named_fields::from_slice(json).ok()?;
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
