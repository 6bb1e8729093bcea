//! Turns a plugin's reply into an answer that may be sent. Apart from the host's own answers, a `Reply` is made only here.
//!
//! A part that breaks a documented rule is dropped and listed; the rest of the answer still goes out.

use lark_card::CardContext;
use lark_card::CardVersion;
use lark_card::fault::At;
use lark_card::fault::Faults;
use lark_card::fault::Rule;
use lark_card::locale;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::callback::approval::answer;
use crate::callback::model::Json;
use crate::callback::model::Kind;
use crate::callback::nesting;
use crate::callback::nesting::TOO_DEEP;
use crate::callback::reply::Answer;
use crate::callback::reply::Card;
use crate::callback::reply::LegacyReply;
use crate::callback::reply::RawReply;
use crate::callback::reply::Reply;
use crate::callback::reply::Toast;
use crate::callback::reply::put;

/// The values of a toast's `type`.
const TOAST_TYPES: [&str; 4] = ["info", "success", "error", "warning"];
/// The names of link targets, one for each client.
const LINK_FIELDS: [&str; 5] = ["copy_url", "ios", "android", "pc", "web"];

/// Levels around a card, or around its variables: `{"card":{"data":{"template_variable":…}}}`. Together with these, an answer
/// stays within the depth that the host reads.
const AROUND_A_PART: usize = 3;

/// The result of checking a plugin's reply.
#[derive(Debug)]
pub struct Checked {
    /// The parts that may be sent; `None` if none is left.
    pub reply: Option<Reply>,
    /// The rules that the dropped parts broke.
    pub faults: Faults,
}

/// Turns a plugin's reply to a callback of that kind into an answer. `replaces` is the version of the card on screen, if known.
pub fn check(kind: Kind, raw: RawReply, replaces: Option<CardVersion>) -> Checked {
    let mut faults = Faults::default();
    if let Kind::Approval(kind) = kind {
        let reply = answer::check(kind, raw, &mut faults);
        return Checked { reply, faults };
    }
    let known = CardContext { text_bytes: raw.text_size(), replaces };
    let reply = match raw {
        RawReply::Accepted => Some(Reply::accepted()),
        RawReply::Legacy(LegacyReply::Custom { status, body }) => custom(status, body, &mut faults),
        other => compose(other, &mut faults).and_then(|mut answer| {
            let had_parts = !answer.is_empty();
            drop_faulty_parts(kind, &mut answer, known, &mut faults);
            let nothing_left = had_parts && answer.is_empty();
            (!nothing_left).then(|| Reply::ok(&Value::Object(answer)))
        }),
    };
    Checked { reply, faults }
}

/// Checks a toast that is to be shown unchanged, and lists the rules that it breaks.
pub fn check_toast(toast: &Toast) -> Result<(), Faults> {
    let mut faults = Faults::default();
    prune_toast(&mut toast.to_json(), &At::Root, &mut faults);
    if toast.content.is_empty() {
        faults.push(&At::Root.key("content"), Rule::Required, "a toast without text is not shown");
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Makes the card for `card/update`: the card itself, or the template beside its type.
pub fn check_update(card: &Card, replaces: Option<CardVersion>) -> Result<Json, Faults> {
    let mut faults = Faults::default();
    let known = CardContext { text_bytes: card.text_size(), replaces };
    let wrapped = card.to_json(&mut faults);
    if let Some(wrapped) = &wrapped {
        lark_card::check_wrapped(wrapped, &At::Root, known, &mut faults);
    }
    match (wrapped, card) {
        (Some(wrapped), Card::Raw(_)) if faults.is_empty() => Ok(wrapped["data"].to_string()),
        (Some(wrapped), Card::Template { .. }) if faults.is_empty() => Ok(wrapped.to_string()),
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
    /// The rules that the dropped parts broke.
    pub faults: Faults,
}

/// Extracts the part of a reply to a click that can still be shown.
pub fn check_late(kind: Kind, raw: RawReply) -> LateReply {
    let mut faults = Faults::default();
    let known = CardContext { text_bytes: raw.text_size(), replaces: None };
    let mut answer = compose(raw, &mut faults).unwrap_or_default();
    drop_faulty_parts(kind, &mut answer, known, &mut faults);
    let has_toast = answer.shift_remove("toast").is_some();
    let card = match kind {
        Kind::CardAction => answer.shift_remove("card"),
        Kind::LegacyCard if !answer.is_empty() => Some(Value::Object(answer)),
        Kind::LegacyCard | Kind::LinkPreview | Kind::Approval(_) | Kind::Other => None,
    };
    let card = card.map(|mut card| match card.get("type").and_then(Value::as_str) {
        Some("raw") => card["data"].take().to_string(),
        _ => card.to_string(),
    });
    LateReply { card, has_toast, faults }
}

/// Makes a preview that consists of a card alone. `card` has the form that `card/update` takes.
pub fn card_as_preview(card: &str) -> Reply {
    // One of the functions above has written the text, so it is JSON.
    let card: Value = serde_json::from_str(card).unwrap_or_default();
    Reply::ok(&match card.get("type").and_then(Value::as_str) {
        Some("template") => json!({ "card": card }),
        _ => json!({ "card": { "type": "raw", "data": card } }),
    })
}

fn compose(raw: RawReply, faults: &mut Faults) -> Option<Map<String, Value>> {
    let mut answer = Map::new();
    match raw {
        RawReply::Card { toast, card } => {
            put(&mut answer, "toast", toast.map(|toast| toast.to_json()));
            put(&mut answer, "card", card.and_then(|card| card.to_json(faults)));
        }
        RawReply::Preview { inline, card } => {
            put(&mut answer, "inline", inline.map(|inline| inline.to_json()));
            put(&mut answer, "card", card.and_then(|card| card.to_json(faults)));
        }
        RawReply::Legacy(LegacyReply::Toast(toast)) => {
            put(&mut answer, "toast", Some(toast.to_json()))
        }
        RawReply::Legacy(LegacyReply::Card(card)) => answer = card.to_legacy_json(faults)?,
        RawReply::Json(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => answer = object,
            Ok(_) => {
                return refuse(faults, &At::Root, Rule::Type, "the answer must be a JSON object");
            }
            Err(error) => {
                let words = format_args!("the answer is not JSON: {error}");
                return refuse(faults, &At::Root, Rule::Json, words);
            }
        },
        RawReply::Legacy(LegacyReply::Unchanged | LegacyReply::Custom { .. })
        | RawReply::Accepted => {}
    }
    // A card that is not JSON never reaches the object: if it was the whole answer, nothing is left.
    if answer.is_empty() && !faults.is_empty() { None } else { Some(answer) }
}

fn refuse<T>(
    faults: &mut Faults,
    at: &At<'_>,
    rule: Rule,
    words: impl std::fmt::Display,
) -> Option<T> {
    faults.push(at, rule, words);
    None
}

/// Checks each part of an answer by itself, so that a bad card does not take the toast with it.
fn drop_faulty_parts(
    kind: Kind,
    answer: &mut Map<String, Value>,
    known: CardContext,
    faults: &mut Faults,
) {
    let parts: &[&str] = match kind {
        Kind::CardAction => &["toast", "card"],
        Kind::LinkPreview => &["inline", "card"],
        Kind::LegacyCard => &["toast"],
        Kind::Approval(_) | Kind::Other => &[],
    };
    for part in parts {
        let Some(value) = answer.get_mut(*part) else { continue };
        let at = At::Root.key(part);
        let before = faults.count();
        let usable = match *part {
            _ if value.is_null() => false,
            "toast" => prune_toast(value, &at, faults),
            "inline" => prune_inline(value, &at, faults),
            _ => {
                lark_card::check_wrapped(value, &at, known, faults);
                faults.count() == before
            }
        };
        if !usable {
            answer.shift_remove(*part);
        }
    }
    if kind == Kind::LegacyCard && answer.keys().any(|key| key != "toast") {
        let toast = answer.shift_remove("toast");
        let before = faults.count();
        let card = Value::Object(std::mem::take(answer));
        lark_card::check_legacy(&card, &At::Root, known, faults);
        if let (true, Value::Object(card)) = (faults.count() == before, card) {
            *answer = card;
        }
        put(answer, "toast", toast);
    }
}

/// Removes fields that cannot be shown. Returns false if nothing can be shown.
fn prune_toast(toast: &mut Value, at: &At<'_>, faults: &mut Faults) -> bool {
    let Some(fields) = toast.as_object_mut() else {
        faults.push(at, Rule::Type, "must be an object");
        return false;
    };
    match fields.get("type") {
        None => {}
        Some(Value::String(kind)) if TOAST_TYPES.contains(&kind.as_str()) => {}
        Some(_) => {
            faults.push(
                &at.key("type"),
                Rule::Value,
                "must be info, success, error or warning; shown as info",
            );
            fields.shift_remove("type");
        }
    }
    if fields.get("content").is_some_and(|content| !content.is_string()) {
        faults.push(&at.key("content"), Rule::Type, "must be text");
        fields.shift_remove("content");
    }
    prune_texts(fields, "i18n", &locale::TOAST_AND_CARD, at, faults);
    fields.contains_key("content") || fields.contains_key("i18n")
}

fn prune_inline(inline: &mut Value, at: &At<'_>, faults: &mut Faults) -> bool {
    let Some(fields) = inline.as_object_mut() else {
        faults.push(at, Rule::Type, "must be an object");
        return false;
    };
    for key in ["title", "image_key"] {
        if fields.get(key).is_some_and(|text| !text.is_string()) {
            faults.push(&at.key(key), Rule::Type, "must be text");
            fields.shift_remove(key);
        }
    }
    let url_at = at.key("url");
    match fields.get_mut("url") {
        None => {}
        Some(Value::Object(links)) => links.retain(|client, link| {
            let here = url_at.key(client);
            if !LINK_FIELDS.contains(&client.as_str()) {
                let words = format_args!("not one of {}", LINK_FIELDS.join(", "));
                faults.push(&here, Rule::UnknownProperty, words);
            } else if !link.is_string() {
                faults.push(&here, Rule::Type, "must be text");
            } else {
                return true;
            }
            false
        }),
        Some(_) => {
            faults.push(&url_at, Rule::Type, "must be an object of addresses by client");
            fields.shift_remove("url");
        }
    }
    prune_texts(fields, "i18n_title", &locale::PREVIEW_TITLE, at, faults);
    !fields.is_empty()
}

/// Removes texts whose locale the platform does not document for that field: the others can be shown without them.
fn prune_texts(
    fields: &mut Map<String, Value>,
    key: &str,
    allowed: &[&str; 16],
    at: &At<'_>,
    faults: &mut Faults,
) {
    let Some(texts) = fields.get_mut(key) else { return };
    let before = faults.count();
    locale::check_texts(texts, allowed, &at.key(key), faults);
    if faults.count() == before {
        return;
    }
    let left = texts.as_object_mut().is_some_and(|texts| {
        texts.retain(|locale, text| allowed.contains(&locale.as_str()) && text.is_string());
        !texts.is_empty()
    });
    if !left {
        fields.shift_remove(key);
    }
}

fn custom(status: u16, body: Json, faults: &mut Faults) -> Option<Reply> {
    if !(200..=599).contains(&status) || (300..400).contains(&status) {
        let words = format_args!("{status} is not allowed: 200 to 599, no redirects");
        return refuse(faults, &At::Root.key("status"), Rule::Value, words);
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        // The parser ignored the body's content, which may have any depth.
        Ok(_) if nesting::reaches(body.as_bytes(), TOO_DEEP) => {
            let words = format_args!("nested {TOO_DEEP} levels deep or deeper");
            refuse(faults, &At::Root.key("body"), Rule::Json, words)
        }
        Ok(_) => Some(Reply(Answer::Body { status, json: body.into() })),
        Err(error) => {
            let words = format_args!("not JSON: {error}");
            refuse(faults, &At::Root.key("body"), Rule::Json, words)
        }
    }
}

impl Card {
    /// Returns `{"type": …, "data": …}`, the form for every answer except an old card's.
    fn to_json(&self, faults: &mut Faults) -> Option<Value> {
        let name = match self {
            Self::Raw(_) => "raw",
            Self::Template { .. } => "template",
        };
        Some(json!({ "type": name, "data": self.data(faults)? }))
    }

    fn data(&self, faults: &mut Faults) -> Option<Value> {
        match self {
            Self::Raw(text) => parse_part(text, "/card/data", faults),
            Self::Template { id, version_name, variables } => {
                let mut data = json!({ "template_id": id });
                if let Some(name) = version_name {
                    data["template_version_name"] = name.as_str().into();
                }
                if let Some(variables) = variables {
                    data["template_variable"] =
                        parse_part(variables, "/card/data/template_variable", faults)?;
                }
                Some(data)
            }
        }
    }

    /// Returns the card at the top level without a wrapper, as the old protocol wants it.
    fn to_legacy_json(&self, faults: &mut Faults) -> Option<Map<String, Value>> {
        let legacy = match self {
            Self::Raw(_) => self.data(faults)?,
            Self::Template { .. } => self.to_json(faults)?,
        };
        match legacy {
            Value::Object(object) => Some(object),
            _ => refuse(faults, &At::Root, Rule::Type, "the card must be a JSON object"),
        }
    }
}

fn parse_part(text: &str, path: &str, faults: &mut Faults) -> Option<Value> {
    const LEVELS: usize = TOO_DEEP - AROUND_A_PART;
    if nesting::reaches(text.as_bytes(), LEVELS) {
        let words = format_args!("nested {LEVELS} levels deep or deeper");
        return refuse(faults, &At::Under(path), Rule::Json, words);
    }
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            refuse(faults, &At::Under(path), Rule::Json, format_args!("not JSON: {error}"))
        }
    }
}

#[cfg(test)]
mod tests;
