//! Card JSON 1.0. It ignores properties that it does not know, so there are fewer rules to break.

use serde_json::Map;
use serde_json::Value;

use crate::CardVersion;
use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;
use crate::locale;
use crate::tree::Tree;

/// Properties of which a card has at least one.
const PARTS: [&str; 6] =
    ["elements", "i18n_elements", "header", "i18n_header", "card_link", "config"];

pub(super) fn check(card: &Map<String, Value>, at: &At<'_>, faults: &mut Faults) {
    if !PARTS.iter().any(|part| card.contains_key(*part)) {
        let words = if card.contains_key("body") {
            "no card JSON 1.0 (elements, header, …); a 2.0 card says \"schema\": \"2.0\""
        } else {
            "neither card JSON 1.0 (elements, header, …) nor 2.0 (schema, body)"
        };
        return faults.push(at, Rule::Version, words);
    }
    for part in ["config", "header", "card_link"] {
        if card.get(part).is_some_and(|part| !part.is_object()) {
            faults.push(&at.key(part), Rule::Type, "must be an object");
        }
    }
    if let Some(elements) = card.get("elements") {
        Tree::new(CardVersion::V1, faults).walk(elements, &at.key("elements"));
    }
    let by_locale = at.key("i18n_elements");
    match card.get("i18n_elements") {
        None => {}
        Some(Value::Object(translations)) => {
            for (locale, elements) in translations {
                let here = by_locale.key(locale);
                locale::check(locale, &locale::TOAST_AND_CARD, &here, faults);
                Tree::new(CardVersion::V1, faults).walk(elements, &here);
            }
        }
        Some(_) => faults.push(&by_locale, Rule::Type, "must be an object of lists by locale"),
    }
}
