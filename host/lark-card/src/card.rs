//! Checks one card: its version, its size, and everything inside it.

use serde_json::Map;
use serde_json::Value;

use crate::CardContext;
use crate::CardVersion;
use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;
use crate::rules;
use crate::rules::Whole;
use crate::walk::Walk;

/// Properties of which a card JSON 1.0 that shows something has at least one.
const PARTS: [&str; 7] =
    ["schema", "elements", "i18n_elements", "header", "i18n_header", "card_link", "config"];
/// Writing JSON makes a byte into six at most (`\u0000`), so that a text of a sixth of the limit cannot become a card that is
/// too large. Most cards are small, and need not be written once more to be measured.
const MOST_ESCAPED: usize = 6;

/// Returns true if the object has any of the parts of a card, whatever its version.
pub(crate) fn is_card(fields: &Map<String, Value>) -> bool {
    fields.contains_key("body") || PARTS.iter().any(|part| fields.contains_key(*part))
}

/// Checks a card. `has_variables` says that it is the card builder's, with `${name}` in the place of values.
pub(crate) fn check(
    card: &Value,
    at: &At<'_>,
    known: CardContext,
    has_variables: bool,
    faults: &mut Faults,
) -> Option<CardVersion> {
    let Some(card) = card.as_object() else {
        faults.push(at, Rule::Type, "the card must be a JSON object");
        return None;
    };
    let version = version(card, at, faults)?;
    check_size(version, card, at, known, faults);
    if let Some(replaced) = known.replaces.filter(|replaced| *replaced != version) {
        faults.push(
            &at.key("schema"),
            Rule::Version,
            format_args!(
                "a card JSON {} cannot take the place of a {} (200830 for the user)",
                version.as_str(),
                replaced.as_str()
            ),
        );
    }
    // An empty object is a blank card, and anything else says what it is.
    if version == CardVersion::V1
        && !card.is_empty()
        && PARTS.iter().all(|part| !card.contains_key(*part))
    {
        let words = if card.contains_key("body") {
            "no card JSON 1.0 (elements, header, …); a 2.0 card says \"schema\": \"2.0\""
        } else {
            "neither card JSON 1.0 (elements, header, …) nor 2.0 (schema, body)"
        };
        faults.push(at, Rule::Version, words);
        return Some(version);
    }
    Walk::new(rules::of(version), has_variables, faults).card(card, at);
    Some(version)
}

fn version(card: &Map<String, Value>, at: &At<'_>, faults: &mut Faults) -> Option<CardVersion> {
    match card.get("schema") {
        None | Some(Value::Null) => Some(CardVersion::V1),
        Some(Value::String(schema)) if schema == "1.0" => Some(CardVersion::V1),
        Some(Value::String(schema)) if schema == "2.0" => Some(CardVersion::V2),
        Some(other) => {
            faults.push(
                &at.key("schema"),
                Rule::Version,
                format_args!("{other} is no card version: \"1.0\" or \"2.0\", as text"),
            );
            None
        }
    }
}

/// Checks the data of a template: its id, and the variables for it.
pub(crate) fn check_template(
    data: &Map<String, Value>,
    at: &At<'_>,
    known: CardContext,
    faults: &mut Faults,
) {
    let get = |key: &str| data.get(key).filter(|value| !value.is_null());
    check_size(CardVersion::V1, data, at, known, faults);
    if get("template_id").and_then(Value::as_str).is_none_or(str::is_empty) {
        faults.push(&at.key("template_id"), Rule::Required, "must be the id of a template");
    }
    if get("template_version_name").is_some_and(|name| !name.is_string()) {
        faults.push(&at.key("template_version_name"), Rule::Type, "must be text");
    }
    if get("template_variable").is_some_and(|variables| !variables.is_object()) {
        faults.push(&at.key("template_variable"), Rule::Type, "must be an object");
    }
}

fn check_size(
    version: CardVersion,
    card: &Map<String, Value>,
    at: &At<'_>,
    known: CardContext,
    faults: &mut Faults,
) {
    let Some(rule) = rules::of(version).whole(Whole::Size) else { return };
    let Some(max) = rule.max.filter(|max| known.text_bytes > max / MOST_ESCAPED) else { return };
    let mut counted = CountedBytes(0);
    // Counting bytes cannot fail, and neither can writing JSON that has been read.
    let _ = serde_json::to_writer(&mut counted, card);
    if counted.0 > max {
        let words = format_args!("{} bytes of card JSON; the limit is {max}", counted.0);
        faults.add(rule.severity, at, Rule::Size, words);
    }
}

/// Counts the bytes as the platform gets them, without keeping any.
struct CountedBytes(usize);

impl std::io::Write for CountedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
