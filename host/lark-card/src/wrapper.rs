//! Finds the card inside something that is not a card itself: a message, an answer to a callback, what the card builder exports.

use serde_json::Map;
use serde_json::Value;

use crate::card;
use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;

/// Something around a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// A message to send: `{"msg_type": "interactive", "card": …}`, or the card as text in `content`.
    Message,
    /// The answer to a callback: `{"toast": …, "card": {"type": …, "data": …}}`.
    Answer,
    /// The card of an answer: `{"type": "raw" | "template", "data": {…}}`.
    Typed,
    /// An update of a card that is on screen: `{"token": …, "card": …}`.
    Update,
    /// A card as an entity: `{"type": "card_json", "data": "…"}`.
    Entity,
    /// A file that the card builder exports: `{"name": …, "dsl": …, "variables": […]}`.
    BuilderExport,
}

impl Wrapper {
    /// Returns the name for programs, which stays the same over versions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Answer => "answer",
            Self::Typed => "typed",
            Self::Update => "update",
            Self::Entity => "entity",
            Self::BuilderExport => "builder-export",
        }
    }
}

/// The words for people.
impl std::fmt::Display for Wrapper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Message => "a message",
            Self::Answer => "an answer to a callback",
            Self::Typed => "a card with its type",
            Self::Update => "an update of a card",
            Self::Entity => "a card entity",
            Self::BuilderExport => "a file of the card builder",
        })
    }
}

/// Returns what is around the card and the member that has it, or `None` if this is no wrapper.
pub(crate) fn around(value: &Value) -> Option<(Wrapper, &'static str)> {
    let fields = value.as_object()?;
    if card::is_card(fields) {
        return None;
    }
    let has = |key: &str| fields.get(key).is_some_and(|value| !value.is_null());
    let kind = fields.get("type").and_then(Value::as_str);
    Some(match kind {
        _ if has("dsl") => (Wrapper::BuilderExport, "dsl"),
        Some("card_json" | "card") if has("data") => (Wrapper::Entity, "data"),
        Some("raw" | "template") => (Wrapper::Typed, "data"),
        _ if has("card") && has("msg_type") => (Wrapper::Message, "card"),
        _ if has("card") && has("token") => (Wrapper::Update, "card"),
        _ if has("card") && has("sequence") => (Wrapper::Entity, "card"),
        _ if has("card") => (Wrapper::Answer, "card"),
        _ if is_message(fields) => (Wrapper::Message, "content"),
        _ => return None,
    })
}

/// Returns true for the body of a request that sends or changes a message.
fn is_message(fields: &Map<String, Value>) -> bool {
    let content = fields.get("content");
    let has_content = content.is_some_and(|content| content.is_string() || content.is_object());
    fields.contains_key("msg_type")
        || has_content && (fields.contains_key("receive_id") || fields.len() == 1)
}

/// Reads the member of a wrapper that has the card. It may be text that is JSON.
pub(crate) fn inside(
    wrapped: &Value,
    member: &str,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<(Value, usize)> {
    let here = at.key(member);
    if let Some(kind) = wrapped.get("msg_type").filter(|kind| **kind != "interactive") {
        let words = format_args!("a message of the type {kind} has no card; interactive ones have");
        faults.push(&at.key("msg_type"), Rule::Value, words);
        return None;
    }
    match wrapped.get(member) {
        None | Some(Value::Null) => {
            faults.push(&here, Rule::Required, "the card itself is missing");
            None
        }
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(card) => Some((card, text.len())),
            Err(error) => {
                faults.push(&here, Rule::Json, format_args!("this text is not JSON: {error}"));
                None
            }
        },
        Some(card) => Some((card.clone(), card.to_string().len())),
    }
}
