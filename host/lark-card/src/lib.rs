//! Checks Feishu/Lark cards against the platform's documented rules, without asking the platform. Card JSON 1.0 and 2.0, as a
//! card stands alone and as the answer to a callback wraps it.
//!
//! ```
//! let report = lark_card::check_file(r#"{ "schema": "2.0", "body": { "elements": [{ "tag": "buton" }] } }"#);
//! let fault = &report.faults.found()[0];
//! assert_eq!(fault.path, "/body/elements/0/tag");
//! assert_eq!(fault.rule.as_str(), "unknown-tag");
//! ```
//!
//! # What a fault is
//!
//! Only what the platform certainly refuses is a [`Fault`](fault::Fault): programs drop a card for one, so a rule that is not
//! documented has no place here. A card without faults may still be refused, for example because an image key does not exist.
//! A fault has a JSON pointer to its place, a [`Rule`] whose name stays the same over versions, and words for people.
//!
//! # Limits
//!
//! A card has at most 30 KiB of JSON, counted without white space; a file with more than 4 MiB is not read. Card JSON 2.0 has
//! at most 200 elements, and either version five tables and five levels of containers. The first 20 faults are kept and the
//! rest is counted. Checking a sound card of a kilobyte takes microseconds and allocates only the sets that tell whether a
//! name is used twice.

pub mod fault;
pub mod locale;
mod behavior;
mod component;
mod tree;
mod version_1;
mod version_2;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

use serde_json::Map;
use serde_json::Value;

use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;

/// Largest card JSON that the platform takes, in bytes: 30 KB, documented for answers and updates alike. The variables of a
/// template count too.
const MAX_CARD_BYTES: usize = 30 * 1024;
/// Text of at most this many bytes cannot become a card that is too large: writing JSON makes a byte into six at most (`\u0000`).
/// Most cards are small, and need not be written once more to be measured.
const SURELY_SMALL: usize = MAX_CARD_BYTES / 6;
/// Largest text that [`check_file`] reads, in bytes: it may hold as much white space as people like to read.
const MAX_FILE_BYTES: usize = 4 << 20;

/// The two generations of card JSON. A card is only ever replaced by one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardVersion {
    /// Card JSON 1.0: `elements` at the top.
    V1,
    /// Card JSON 2.0: `schema` and `body`.
    V2,
}

impl CardVersion {
    /// Returns the value of `schema` for this version.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }
}

/// Facts about a card that its JSON does not hold.
#[derive(Clone, Copy, Debug)]
pub struct CardContext {
    /// Bytes of the text that the card was read from. Small cards are not measured again.
    pub text_bytes: usize,
    /// The version of the card that this one replaces, if it is known. The platform's callbacks do not say it.
    pub replaces: Option<CardVersion>,
}

/// The result of [`check_file`].
#[derive(Debug)]
pub struct FileReport {
    /// Version of the card; `None` for a template, and for text that is not a card.
    pub version: Option<CardVersion>,
    /// Faults of the card; empty if no documented rule is broken.
    pub faults: Faults,
}

/// Checks the text of a file: a card alone, or `{"type": "raw" | "template", "data": {…}}`.
pub fn check_file(text: &str) -> FileReport {
    let mut faults = Faults::default();
    if text.len() > MAX_FILE_BYTES {
        faults.push(
            &At::Root,
            Rule::Size,
            format_args!(
                "{} bytes, which is no card; a card has {MAX_CARD_BYTES} at most",
                text.len()
            ),
        );
        return FileReport { version: None, faults };
    }
    let known = CardContext { text_bytes: text.len(), replaces: None };
    let card = match serde_json::from_str::<Value>(text) {
        Ok(card) => card,
        Err(error) => {
            faults.push(&At::Root, Rule::Json, format_args!("not JSON: {error}"));
            return FileReport { version: None, faults };
        }
    };
    let is_wrapped = matches!(card.get("type").and_then(Value::as_str), Some("raw" | "template"));
    let version = if is_wrapped {
        check_wrapped(&card, &At::Root, known, &mut faults)
    } else {
        check_card(&card, &At::Root, known, &mut faults)
    };
    FileReport { version, faults }
}

/// Checks `{"type": "raw" | "template", "data": {…}}`: the card in the answer to a click or a link preview. Adds faults to
/// `faults`, with their places below `at`. `None` for a template, whose card only the platform knows.
pub fn check_wrapped(
    card: &Value,
    at: &At<'_>,
    known: CardContext,
    faults: &mut Faults,
) -> Option<CardVersion> {
    let data_at = at.key("data");
    match (card.get("type").and_then(Value::as_str), card.get("data")) {
        (Some("raw"), Some(data)) => return check_card(data, &data_at, known, faults),
        (Some("template"), Some(Value::Object(data))) => {
            check_template(data, &data_at, known, faults);
        }
        (Some("template"), Some(_)) => faults.push(&data_at, Rule::Type, "must be an object"),
        (Some("raw" | "template"), None) => {
            faults.push(&data_at, Rule::Required, "the card itself is missing");
        }
        _ => faults.push(&at.key("type"), Rule::Value, "must be raw or template"),
    }
    None
}

/// Checks an answer of the old card protocol: a card at the top level, or a template beside its type. Otherwise like
/// [`check_wrapped`].
pub fn check_legacy(
    answer: &Value,
    at: &At<'_>,
    known: CardContext,
    faults: &mut Faults,
) -> Option<CardVersion> {
    if answer.get("type").and_then(Value::as_str) == Some("template") {
        return check_wrapped(answer, at, known, faults);
    }
    check_card(answer, at, known, faults)
}

fn check_template(data: &Map<String, Value>, at: &At<'_>, known: CardContext, faults: &mut Faults) {
    check_size(data, at, known, faults);
    if data.get("template_id").and_then(Value::as_str).is_none_or(str::is_empty) {
        faults.push(&at.key("template_id"), Rule::Required, "must be the id of a template");
    }
    if data.get("template_version_name").is_some_and(|name| !name.is_string()) {
        faults.push(&at.key("template_version_name"), Rule::Type, "must be text");
    }
    if data.get("template_variable").is_some_and(|variables| !variables.is_object()) {
        faults.push(&at.key("template_variable"), Rule::Type, "must be an object");
    }
}

fn check_card(
    card: &Value,
    at: &At<'_>,
    known: CardContext,
    faults: &mut Faults,
) -> Option<CardVersion> {
    let Some(card) = card.as_object() else {
        faults.push(at, Rule::Type, "the card must be a JSON object");
        return None;
    };
    check_size(card, at, known, faults);
    let version = match card.get("schema") {
        None => CardVersion::V1,
        Some(Value::String(schema)) if schema == "1.0" => CardVersion::V1,
        Some(Value::String(schema)) if schema == "2.0" => CardVersion::V2,
        Some(other) => {
            faults.push(
                &at.key("schema"),
                Rule::Version,
                format_args!("{other} is no card version: \"1.0\" or \"2.0\", as text"),
            );
            return None;
        }
    };
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
    match version {
        CardVersion::V1 => version_1::check(card, at, faults),
        CardVersion::V2 => version_2::check(card, at, faults),
    }
    Some(version)
}

fn check_size(card: &Map<String, Value>, at: &At<'_>, known: CardContext, faults: &mut Faults) {
    if known.text_bytes <= SURELY_SMALL {
        return;
    }
    let mut counted = CountedBytes(0);
    // Counting bytes cannot fail, and neither can writing JSON that has been read.
    let _ = serde_json::to_writer(&mut counted, card);
    if counted.0 > MAX_CARD_BYTES {
        faults.push(
            at,
            Rule::Size,
            format_args!("{} bytes of card JSON; the limit is {MAX_CARD_BYTES}", counted.0),
        );
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

/// Checks that `value` is an object whose keys are all in `allowed`. Any other key is a fault in card JSON 2.0.
fn only<'v>(
    value: &'v Value,
    allowed: &[&str],
    what: &str,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<&'v Map<String, Value>> {
    let Some(object) = value.as_object() else {
        faults.push(at, Rule::Type, "must be an object");
        return None;
    };
    for key in object.keys() {
        if !allowed.contains(&key.as_str()) {
            faults.push(
                &at.key(key),
                Rule::UnknownProperty,
                format_args!(
                    "not a property of {what} in card JSON 2.0, which refuses unknown ones"
                ),
            );
        }
    }
    Some(object)
}

#[cfg(test)]
mod tests;
