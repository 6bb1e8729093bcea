//! One callback in its form on disk.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::journal::draft::Called;
use crate::journal::draft::DraftAnswer;
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

/// Version of the format. Entries of another version are not read.
pub const VERSION: u32 = 2;

/// Appends a draft as JSON that [`Entry`] can read. Returns `None` if a part is not the JSON that it should be. Parts that are
/// JSON already are copied without parsing them again.
pub(super) fn write(
    id: &str,
    facts: Facts,
    texts: Texts<'_>,
    masks: &Masks,
    into: &mut Vec<u8>,
) -> Option<()> {
    let mut masking = masks.begin();
    facts.secrets.iter().for_each(|secret| masking.secret(secret.expose()));
    // All parts are searched before any of them is written, because a text that is masked in one place is masked in all.
    let callback = masking.callback(texts.callback)?;
    let body = masking.other(texts.body)?;
    let called = facts.called.map(|called| called.found(&mut masking));
    let reason = facts.reason.as_deref().map(|reason| masking.text(reason));
    let (callback, body) = (masking.everywhere(callback), masking.everywhere(body));
    let reason = reason.map(|reason| masking.without(&reason).into_owned());
    let called = match called {
        Some(called) => {
            // A body in which nothing was masked holds no stand-ins.
            let body = matches!(body, Cow::Owned(_)).then_some(&*body);
            let besides: Vec<_> = body.into_iter().chain(reason.as_deref()).collect();
            Some(called.masked(&mut masking, &besides)?)
        }
        None => None,
    };
    let without = |text| masking.without(text);
    let (event_id, user) = (texts.event_id.map(without), texts.user.map(without));
    // Clipped after masking, so that no half of a secret is left.
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

/// Writes `steps_us` of an [`Entry`].
fn write_steps(steps_us: [Option<u64>; Step::ALL.len()], into: &mut Vec<u8>) {
    let mut members = Members::begin(into);
    for (step, took_us) in Step::ALL.into_iter().zip(steps_us) {
        members.number(step.as_str(), took_us);
    }
    members.end();
}

/// Writes a [`Said`] with the masked body.
fn write_reply(answer: DraftAnswer, body: &str, into: &mut Vec<u8>) {
    let status = match answer {
        DraftAnswer::Body { status } => status,
        DraftAnswer::Accepted => return into.extend(br#""accepted""#),
        DraftAnswer::Redeliver => return into.extend(br#""redeliver""#),
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
    /// Finds the credentials in the call and masks them.
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

    /// Masks the credentials that were found in other parts. `besides` are texts of the entry that are masked already.
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
    /// The format, which is [`VERSION`].
    pub v: u32,
    /// A hex number; ids sort by time.
    pub id: String,
    /// Arrival of the first byte, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The id of the app.
    pub app: String,
    /// `webhook` or `long_connection`.
    pub door: String,
    /// The id that the platform gave the event.
    pub event_id: Option<String>,
    /// The type, for example `card.action.trigger`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The `open_id` of the user who clicked or saw the link.
    pub user: Option<String>,
    /// The plugin that took the callback.
    pub plugin: Option<String>,
    /// The version of the plugin: the first 12 hex digits of its file's SHA-256.
    pub version: Option<String>,
    /// The outcome of the callback.
    pub outcome: Outcome,
    /// The reason of the outcome, as in the log.
    pub reason: Option<String>,
    /// Microseconds from the first byte to the decision.
    pub took_us: u64,
    /// Fuel that the call used.
    pub fuel: Option<u64>,
    /// Duration of each step, in microseconds. Each step began when the one before ended.
    pub steps_us: BTreeMap<Step, u64>,
    /// The callback as it came, decrypted and masked.
    pub callback: Box<RawValue>,
    /// The answer.
    pub reply: Said,
    /// The call of the plugin; `None` if no plugin was called, or none ended in time.
    pub called: Option<Call>,
}

/// The answer to a callback.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// An answer with a JSON object.
    Body {
        /// The HTTP status: 200, except for the custom reply to an old card.
        status: u16,
        /// The JSON object, masked.
        body: Box<RawValue>,
    },
    /// An acknowledgement without a body.
    Accepted,
    /// A request to the platform to send the event again.
    Redeliver,
}

/// A call as the journal keeps it. See [`Called`].
#[derive(Debug, Deserialize, Serialize)]
pub struct Call {
    /// True if `callback-handler` or a command took the callback, false for a handler of one type.
    pub by_json: bool,
    /// True if the instance was made for this call.
    pub fresh: bool,
    /// The results of its host calls, and its readings of clocks.
    pub told: Told,
    /// Cards that the plugin deferred, to be shown after the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Box<RawValue>>,
}

impl Entry {
    /// Parses an entry. Returns `None` for another version of the format.
    pub fn read(json: &[u8]) -> Option<Self> {
        let entry: Self = named_fields::from_slice(json).ok()?;
        (entry.v == VERSION).then_some(entry)
    }

    /// Returns the call if it can be replayed, or else the reason why not.
    pub fn to_play(&self) -> Result<&Call, NotPlayable> {
        let called = self.called.as_ref().ok_or(NotPlayable::NotCalled)?;
        if called.told.cut {
            return Err(NotPlayable::Cut);
        }
        Ok(called)
    }
}

/// The reason why a callback cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPlayable {
    /// There is no call to compare with.
    #[error("no plugin was called for it, or it did not end in time")]
    NotCalled,
    /// The recording is incomplete, so the plugin would be told something else.
    #[error("the plugin was told more than the journal keeps of one call")]
    Cut,
}
