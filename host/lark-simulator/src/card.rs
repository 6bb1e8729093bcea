//! Decides if a card may replace the one on screen. It knows only the rules that are documented and can be checked without a
//! client: shape, size, version, count and names.

use serde_json::Map;
use serde_json::Value;

use crate::delivery::CardSchema;

/// Largest card, in bytes: 30 KB, as documented; template variables count too.
const MAX_CARD_BYTES: usize = 30 * 1024;
/// Most elements and components of one card, as documented for JSON 2.0.
const MAX_COMPONENTS: usize = 200;
/// Components that a user can operate. Inside a form each needs a name, or its value could not be told from the others'.
const INTERACTIVE: [&str; 12] = [
    "button",
    "checker",
    "date_picker",
    "input",
    "multi_select_person",
    "multi_select_static",
    "overflow",
    "picker_datetime",
    "picker_time",
    "select_img",
    "select_person",
    "select_static",
];

/// Tags of the parts of components: texts and icons, which are not components themselves.
const PARTS: [&str; 4] = ["custom_icon", "lark_md", "plain_text", "standard_icon"];

/// Reason why the platform refuses a card.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CardFault {
    #[error("{0}")]
    Wrong(String),
    #[error("the card has {0} bytes, of which 30 KB are allowed")]
    TooLarge(usize),
    #[error("a {0} inside a form has no name")]
    EmptyName(String),
    #[error("a JSON 2.0 card cannot be replaced by a JSON 1.0 card")]
    Downgrade,
}

/// Checks the `card` of a callback's answer: `{"type": "raw" | "template", "data": {…}}`.
pub(super) fn check_wrapped(card: &Value, on_screen: CardSchema) -> Result<(), CardFault> {
    let Some(card) = card.as_object() else {
        return Err(wrong("`card` is not an object"));
    };
    let Some(data) = card.get("data") else {
        return Err(wrong("`card.data` is missing"));
    };
    match card.get("type").and_then(Value::as_str) {
        Some("raw") => check_raw(data, on_screen),
        Some("template") => check_template(data),
        _ => Err(wrong("`card.type` is neither `raw` nor `template`")),
    }
}

/// Checks a card's own JSON, 1.0 or 2.0.
pub(super) fn check_raw(card: &Value, on_screen: CardSchema) -> Result<(), CardFault> {
    let Some(fields) = card.as_object() else {
        return Err(wrong("the card is not an object"));
    };
    check_size(card)?;
    let schema = match fields.get("schema") {
        None => CardSchema::V1,
        Some(schema) if schema == "1.0" => CardSchema::V1,
        Some(schema) if schema == "2.0" => CardSchema::V2,
        Some(_) => return Err(wrong("`schema` is neither \"1.0\" nor \"2.0\"")),
    };
    match (on_screen, schema) {
        (CardSchema::V2, CardSchema::V1) => return Err(CardFault::Downgrade),
        // No code of its own is documented for this direction, only that the versions must match.
        (CardSchema::V1, CardSchema::V2) => {
            return Err(wrong("a JSON 1.0 card cannot be replaced by a JSON 2.0 card"));
        }
        _ => {}
    }
    check_elements(fields, schema)?;
    let mut components = 0;
    walk(card, CardPlace::Card, &mut components)?;
    if components > MAX_COMPONENTS {
        return Err(wrong(&format!(
            "{components} components, of which {MAX_COMPONENTS} are allowed"
        )));
    }
    Ok(())
}

/// Checks the `data` of a template card.
pub(super) fn check_template(data: &Value) -> Result<(), CardFault> {
    let Some(fields) = data.as_object() else {
        return Err(wrong("the template's `data` is not an object"));
    };
    if fields.get("template_id").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(wrong("`template_id` is missing"));
    }
    if fields.get("template_version_name").is_some_and(|name| !name.is_string()) {
        return Err(wrong("`template_version_name` is not text"));
    }
    if fields.get("template_variable").is_some_and(|variables| !variables.is_object()) {
        return Err(wrong("`template_variable` is not an object"));
    }
    check_size(data)
}

fn check_size(card: &Value) -> Result<(), CardFault> {
    let bytes = card.to_string().len();
    if bytes > MAX_CARD_BYTES { Err(CardFault::TooLarge(bytes)) } else { Ok(()) }
}

fn check_elements(card: &Map<String, Value>, schema: CardSchema) -> Result<(), CardFault> {
    let elements = match (schema, card.get("body")) {
        (CardSchema::V2, Some(Value::Object(body))) => body.get("elements"),
        (CardSchema::V2, Some(_)) => return Err(wrong("`body` is not an object")),
        (CardSchema::V2, None) => None,
        (CardSchema::V1 | CardSchema::Unknown, _) => card.get("elements"),
    };
    if elements.is_some_and(|elements| !elements.is_array()) {
        return Err(wrong("`elements` is not an array"));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CardPlace {
    Card,
    Form,
}

/// Counts components and looks for unnamed ones in forms. The JSON parser's own depth limit bounds the recursion.
fn walk(value: &Value, place: CardPlace, components: &mut usize) -> Result<(), CardFault> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| walk(item, place, components)),
        Value::Object(fields) => {
            let tag = fields.get("tag").and_then(Value::as_str);
            let inside = if tag == Some("form") { CardPlace::Form } else { place };
            if let Some(tag) = tag.filter(|tag| !PARTS.contains(tag)) {
                *components += 1;
                if inside == CardPlace::Form && needs_name(tag) && !is_named(fields) {
                    return Err(CardFault::EmptyName(tag.to_owned()));
                }
            }
            // The value that a component sends back is the author's own, and not a part of the card.
            let parts = fields.iter().filter(|(key, _)| *key != "value");
            parts.map(|(_, part)| part).try_for_each(|part| walk(part, inside, components))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn needs_name(tag: &str) -> bool {
    tag == "form" || INTERACTIVE.contains(&tag)
}

fn is_named(fields: &Map<String, Value>) -> bool {
    fields.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty())
}

fn wrong(reason: &str) -> CardFault {
    CardFault::Wrong(reason.to_owned())
}
