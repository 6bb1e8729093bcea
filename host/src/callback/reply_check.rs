//! Turns a plugin's reply into an answer that may be sent. Apart from the host's own answers, a `Reply` is made only here.
//!
//! A part that breaks a documented rule is dropped and listed; the rest of the answer still goes out. A form that the platform
//! would refuse, and whose meaning is certain, is mended and listed.

mod mends;
mod parts;
mod prune;
mod shape;

use lark_card::CardContext;
use lark_card::CardVersion;
use lark_card::fault::At;
use lark_card::fault::Faults;
use lark_card::fault::Rule;

use crate::callback::approval::answer;
use crate::callback::model::Json;
use crate::callback::model::Kind;
use crate::callback::nesting;
use crate::callback::nesting::TOO_DEEP;
use crate::callback::raw_object::RawObject;
use crate::callback::reply::Answer;
use crate::callback::reply::Card;
use crate::callback::reply::LegacyReply;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply::Toast;
use crate::callback::reply_check::parts::AnswerParts;
use crate::callback::reply_check::parts::CardPart;

pub use crate::callback::reply_check::mends::Mends;
pub use crate::callback::reply_check::mends::Notes;

/// The result of checking a plugin's reply.
#[derive(Debug)]
pub struct Checked {
    /// The parts that may be sent. `None` if none is left of them, and then there is a fault.
    pub reply: Option<Reply>,
    /// What is wrong with the others, and what was mended.
    pub notes: Notes,
}

/// Turns a plugin's reply to a callback of that kind into an answer. `replaces` is the version of the card on screen, if known.
pub fn check(kind: Kind, raw: RawReply, replaces: Option<CardVersion>) -> Checked {
    let mut notes = Notes::default();
    if let Kind::Approval(kind) = kind {
        let reply = answer::check(kind, raw, &mut notes.faults);
        return Checked { reply, notes };
    }
    let known = CardContext { text_bytes: raw.text_size(), replaces };
    let reply = match raw {
        RawReply::Accepted => Some(Reply::accepted()),
        RawReply::Legacy(LegacyReply::Custom { status, body }) => {
            custom(status, body, &mut notes.faults)
        }
        RawReply::Json(text) if kind == Kind::Other => {
            shape::passed_on(&text, &mut notes).map(Reply::json)
        }
        other => {
            let mut parts = AnswerParts::of(kind, other, &mut notes);
            parts.drop_faulty(kind, known, &mut notes);
            let is_refused = parts.is_empty() && !notes.faults.is_empty();
            (!is_refused).then(|| Reply::json(parts.to_json(kind)))
        }
    };
    Checked { reply, notes }
}

/// Checks a toast that is to be shown unchanged, and lists the rules that it breaks.
pub fn check_toast(toast: &Toast) -> Result<(), Faults> {
    let mut notes = Notes::default();
    prune::toast(toast.to_json(), &At::Root, &mut notes);
    let mut faults = notes.faults;
    if toast.content.is_empty() {
        faults.push(&At::Root.key("content"), Rule::Required, "a toast without text is not shown");
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Makes the card for `card/update`: the card itself, or the template beside its type.
pub fn check_update(card: &Card, replaces: Option<CardVersion>) -> Result<Json, Faults> {
    let mut faults = Faults::default();
    let known = CardContext { text_bytes: card.text_size(), replaces };
    let mut card = CardPart::of(card, &mut faults);
    if let Some(card) = &mut card {
        card.check_wrapped(&At::Root, known, &mut faults);
    }
    match card {
        Some(card) if faults.is_empty() => Ok(card.into_update()),
        _ => Err(faults),
    }
}

/// The usable part of a reply that missed its answer's deadline.
#[derive(Debug)]
pub struct LateReply {
    /// The card, in the form that `card/update` takes.
    pub card: Option<Json>,
    /// The reply had a toast, which cannot be shown any more.
    pub has_toast: bool,
    /// What is wrong with the other parts, and what was mended.
    pub notes: Notes,
}

/// Extracts the part of a reply to a click that can still be shown.
pub fn check_late(kind: Kind, raw: RawReply) -> LateReply {
    let mut notes = Notes::default();
    let known = CardContext { text_bytes: raw.text_size(), replaces: None };
    let mut parts = AnswerParts::of(kind, raw, &mut notes);
    parts.drop_faulty(kind, known, &mut notes);
    let card = match kind {
        Kind::CardAction | Kind::LegacyCard => parts.card.map(CardPart::into_update),
        Kind::LinkPreview | Kind::Approval(_) | Kind::Other => None,
    };
    LateReply { card, has_toast: parts.toast.is_some(), notes }
}

/// Makes a preview that consists of a card alone. `card` has the form that `card/update` takes.
pub fn card_as_preview(card: &str) -> Reply {
    let form = RawObject::read(card).ok().and_then(|card| card.text("type"));
    Reply::json(match form.as_deref() {
        Some("template") => format!(r#"{{"card":{card}}}"#),
        _ => format!(r#"{{"card":{{"type":"raw","data":{card}}}}}"#),
    })
}

fn custom(status: u16, body: Json, faults: &mut Faults) -> Option<Reply> {
    if !(200..=599).contains(&status) || (300..400).contains(&status) {
        let words = format_args!("{status} is not allowed: 200 to 599, no redirects");
        faults.push(&At::Root.key("status"), Rule::Value, words);
        return None;
    }
    let at = At::Root.key("body");
    match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        // The parser ignored the body's content, which may have any depth.
        Ok(_) if nesting::reaches(body.as_bytes(), TOO_DEEP) => {
            let words = format_args!("nested {TOO_DEEP} levels deep or deeper");
            faults.push(&at, Rule::Json, words);
        }
        Ok(_) => return Some(Reply(Answer::Body { status, json: body.into() })),
        Err(error) => faults.push(&at, Rule::Json, format_args!("not JSON: {error}")),
    }
    None
}

#[cfg(test)]
mod tests;
