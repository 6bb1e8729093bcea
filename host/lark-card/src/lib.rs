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
//! A fault has a JSON pointer to its place, a [`Rule`] whose name stays the same over versions, words for people, and a
//! [`Severity`](fault::Severity). A *certain* one is a reason to drop the card: the platform refuses it, as it documents or
//! as was seen. A *likely* one is a warning, kept beside the faults: documented as wrong, while its effect is unknown or cards in use speak against it.
//! A card without faults may still be refused, for example because an image key does not exist.
//!
//! # Where the rules are
//!
//! In two files that need no knowledge of Rust, `rules/v1.toml` and `rules/v2.toml`: each component with its properties, limits,
//! severities and sources. [`schema()`] gives the same rules as JSON Schema to editors, [`coverage()`] as a table to people.
//!
//! # Limits
//!
//! A card has at most 30 KiB of JSON, counted without white space; a file with more than 4 MiB is not read. The first 20 faults
//! are kept and the rest is counted. Checking a sound card of a kilobyte takes microseconds and allocates only the set that
//! tells whether a name is used twice. The first check of a version reads its rules, which takes milliseconds.

pub mod fault;
pub mod locale;
mod format;
mod rules;
mod walk;
mod card;
mod wrapper;
mod schema;
mod coverage;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

use serde_json::Value;

use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;

pub use crate::coverage::coverage;
pub use crate::schema::schema;
pub use crate::wrapper::Wrapper;

/// Largest text that [`check_file`] reads, in bytes: it may hold as much white space as people like to read.
const MAX_FILE_BYTES: usize = 4 << 20;
/// Wrappers around wrappers, of which the deepest in use is an update of an entity: `{"card": {"type": "card_json", …}}`.
const MAX_WRAPPERS: usize = 4;

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
    /// What the card was in, from the outside to the inside; empty for a card alone.
    pub unwrapped: Vec<Wrapper>,
    /// Faults of the card, and warnings beside them.
    pub faults: Faults,
}

/// Reads the rules, which the first check of each version would otherwise wait for. It takes milliseconds.
pub fn prepare() {
    rules::prepare();
}

/// Checks the text of a file: a card alone, or a card inside a message, an answer, or what the card builder exports. The places
/// of faults begin at the outside; where the inside is JSON in a text, they go on inside that text.
pub fn check_file(text: &str) -> FileReport {
    let mut report = FileReport { version: None, unwrapped: Vec::new(), faults: Faults::default() };
    if text.len() > MAX_FILE_BYTES {
        let words = format_args!("{} bytes, which is no card", text.len());
        report.faults.push(&At::Root, Rule::Size, words);
        return report;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => report.check(&value, &At::Root, text.len()),
        Err(error) => {
            report.faults.push(&At::Root, Rule::Json, format_args!("not JSON: {error}"));
        }
    }
    report
}

impl FileReport {
    fn check(&mut self, value: &Value, at: &At<'_>, text_bytes: usize) {
        let known = CardContext { text_bytes, replaces: None };
        let has_variables = self.unwrapped.contains(&Wrapper::BuilderExport);
        let around = wrapper::around(value).filter(|_| self.unwrapped.len() < MAX_WRAPPERS);
        let Some((wrapper, member)) = around else {
            self.version = card::check(value, at, known, has_variables, &mut self.faults);
            return;
        };
        self.unwrapped.push(wrapper);
        if wrapper == Wrapper::Typed {
            self.version = check_wrapped(value, at, known, &mut self.faults);
            return;
        }
        let Some((inside, text_bytes)) = wrapper::inside(value, member, at, &mut self.faults)
        else {
            return;
        };
        // An entity that exists already is named by its id.
        if wrapper == Wrapper::Entity && inside.get("card_id").is_some() {
            return;
        }
        self.check(&inside, &at.key(member), text_bytes);
    }
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
    let data = card.get("data").filter(|data| !data.is_null());
    match (card.get("type").and_then(Value::as_str), data) {
        (Some("raw"), Some(data)) => return check_alone(data, &data_at, known, faults),
        (Some("template"), Some(Value::Object(data))) => {
            card::check_template(data, &data_at, known, faults);
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
    check_alone(answer, at, known, faults)
}

/// Checks what must be a card itself, and nothing around one.
fn check_alone(
    value: &Value,
    at: &At<'_>,
    known: CardContext,
    faults: &mut Faults,
) -> Option<CardVersion> {
    if let Some((wrapper, member)) = wrapper::around(value) {
        let words = format_args!("this is {wrapper}, not a card; the card is in its {member}");
        faults.push(at, Rule::Version, words);
        return None;
    }
    card::check(value, at, known, false, faults)
}

#[cfg(test)]
mod tests;
