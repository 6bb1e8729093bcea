//! Is this a card the platform takes? The documented rules that can be checked without asking it.

use serde_json::Map;
use serde_json::Value;

use crate::callback::reply::Fault;

/// Card JSON above this is refused by the platform (30 KB, documented for callbacks and updates alike).
const MAX_CARD_BYTES: usize = 30 * 1024;
/// Elements that card JSON 1.0 had and 2.0 refuses.
const REMOVED_IN_2: [&str; 2] = ["action", "note"];

/// `{"type": "raw" | "template", "data": {…}}`: the answer to a click or a link.
pub(super) fn check_wrapped(card: &Value) -> Vec<Fault> {
    let data = match (card.get("type").and_then(Value::as_str), card.get("data")) {
        (Some("raw" | "template"), Some(Value::Object(data))) => data,
        (Some("raw" | "template"), _) => return vec![Fault::new("/data", "must be an object")],
        _ => return vec![Fault::new("/type", "must be raw or template")],
    };
    let template = card["type"] == "template";
    prefixed("/data", if template { check_template(data) } else { check_card(data) })
}

/// A card at the top level, or a template: the old protocol.
pub(super) fn check_legacy(answer: &Map<String, Value>) -> Vec<Fault> {
    if answer.get("type").and_then(Value::as_str) != Some("template") {
        return check_card(answer);
    }
    match answer.get("data") {
        Some(Value::Object(data)) => prefixed("/data", check_template(data)),
        _ => vec![Fault::new("/data", "must be an object")],
    }
}

fn prefixed(prefix: &str, faults: Vec<Fault>) -> Vec<Fault> {
    faults
        .into_iter()
        .map(|fault| Fault { path: format!("{prefix}{}", fault.path), ..fault })
        .collect()
}

fn check_template(data: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = check_size(data);
    if data.get("template_id").and_then(Value::as_str).is_none_or(str::is_empty) {
        faults.push(Fault::new("/template_id", "must be the id of a template"));
    }
    if data.get("template_variable").is_some_and(|variables| !variables.is_object()) {
        faults.push(Fault::new("/template_variable", "must be an object"));
    }
    faults
}

fn check_card(card: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = check_size(card);
    match card.get("schema").and_then(Value::as_str) {
        Some("2.0") => check_card_2(card, &mut faults),
        Some("1.0") | None => check_card_1(card, &mut faults),
        Some(other) => faults
            .push(Fault::new("/schema", format!("{other:?} is not a card version: 1.0 or 2.0"))),
    }
    faults
}

fn check_size(object: &Map<String, Value>) -> Vec<Fault> {
    // Serialising once more is the price of counting bytes as the platform does.
    let size = serde_json::to_vec(object).map_or(usize::MAX, |bytes| bytes.len());
    if size > MAX_CARD_BYTES {
        return vec![Fault::new(
            "",
            format!("{size} bytes of card JSON; the limit is {MAX_CARD_BYTES}"),
        )];
    }
    Vec::new()
}

fn check_card_2(card: &Map<String, Value>, faults: &mut Vec<Fault>) {
    if card.contains_key("elements") || card.contains_key("i18n_elements") {
        faults.push(Fault::new("/elements", "card JSON 2.0 keeps its elements in /body/elements"));
    }
    match card.get("body") {
        None => {}
        Some(body) => match body.get("elements") {
            Some(Value::Array(elements)) => check_elements_2(elements, "/body/elements", faults),
            _ => faults.push(Fault::new("/body/elements", "must be a list")),
        },
    }
}

fn check_elements_2(elements: &[Value], path: &str, faults: &mut Vec<Fault>) {
    for (index, element) in elements.iter().enumerate() {
        let here = format!("{path}/{index}");
        match element.get("tag").and_then(Value::as_str) {
            None => faults.push(Fault::new(format!("{here}/tag"), "every element has a tag")),
            Some(tag) if REMOVED_IN_2.contains(&tag) => {
                faults.push(Fault::new(
                    format!("{here}/tag"),
                    format!("{tag} does not exist in card JSON 2.0"),
                ));
            }
            Some(_) => {}
        }
    }
}

fn check_card_1(card: &Map<String, Value>, faults: &mut Vec<Fault>) {
    const PARTS: [&str; 5] = ["elements", "i18n_elements", "header", "card_link", "config"];
    if !PARTS.iter().any(|part| card.contains_key(*part)) {
        faults.push(Fault::new(
            "",
            "neither card JSON 1.0 (elements, header, …) nor 2.0 (schema, body)",
        ));
    }
    if card.get("elements").is_some_and(|elements| !elements.is_array()) {
        faults.push(Fault::new("/elements", "must be a list"));
    }
}
