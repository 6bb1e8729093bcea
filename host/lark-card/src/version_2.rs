//! Card JSON 2.0: the four parts of a card. It refuses properties that it does not know.

use serde_json::Map;
use serde_json::Value;

use crate::CardVersion;
use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;
use crate::locale;
use crate::only;
use crate::tree::Tree;

const CONFIG: [&str; 10] = [
    "streaming_mode",
    "streaming_config",
    "summary",
    "locales",
    "enable_forward",
    "update_multi",
    "width_mode",
    "use_custom_translation",
    "enable_forward_interaction",
    "style",
];
const SUMMARY: [&str; 2] = ["content", "i18n_content"];
const STYLE: [&str; 2] = ["text_size", "color"];
const CARD_LINK: [&str; 4] = ["url", "android_url", "ios_url", "pc_url"];
const HEADER: [&str; 7] =
    ["title", "subtitle", "text_tag_list", "i18n_text_tag_list", "template", "icon", "padding"];
const BODY: [&str; 7] = [
    "direction",
    "padding",
    "horizontal_spacing",
    "horizontal_align",
    "vertical_spacing",
    "vertical_align",
    "elements",
];
const WIDTH_MODES: [&str; 3] = ["default", "compact", "fill"];

pub(super) fn check(card: &Map<String, Value>, at: &At<'_>, faults: &mut Faults) {
    for (key, value) in card {
        let here = at.key(key);
        match key.as_str() {
            "schema" | "header" | "body" => {}
            "config" => check_config(value, &here, faults),
            "card_link" => {
                only(value, &CARD_LINK, "card_link", &here, faults);
            }
            "elements" => faults.push(
                &here,
                Rule::Removed,
                "card JSON 2.0 keeps its elements in /body/elements",
            ),
            "i18n_elements" => faults.push(
                &here,
                Rule::Removed,
                "i18n_elements does not exist in card JSON 2.0; each text has an i18n_content",
            ),
            "fallback" => {
                faults.push(&here, Rule::Removed, "fallback does not exist in card JSON 2.0");
            }
            _ => faults.push(
                &here,
                Rule::UnknownProperty,
                "not a property of a card in card JSON 2.0, which refuses unknown ones",
            ),
        }
    }
    let mut tree = Tree::new(CardVersion::V2, faults);
    if let Some(header) = card.get("header") {
        tree.outside(header, &at.key("header"));
    }
    let body_at = at.key("body");
    if let Some(elements) = card.get("body").and_then(|body| body.get("elements")) {
        tree.walk(elements, &body_at.key("elements"));
    }
    if let Some(header) = card.get("header") {
        check_header(header, &at.key("header"), faults);
    }
    if let Some(body) = card.get("body") {
        only(body, &BODY, "body", &body_at, faults);
    }
}

fn check_config(config: &Value, at: &At<'_>, faults: &mut Faults) {
    let Some(config) = only(config, &CONFIG, "config", at, faults) else { return };
    for (key, value) in config {
        let here = at.key(key);
        match key.as_str() {
            "update_multi" if value != true => {
                faults.push(&here, Rule::Value, "must be true: card JSON 2.0 has shared cards only")
            }
            "streaming_mode"
            | "enable_forward"
            | "use_custom_translation"
            | "enable_forward_interaction"
                if !value.is_boolean() =>
            {
                faults.push(&here, Rule::Type, "must be true or false");
            }
            "width_mode" if value.as_str().is_none_or(|mode| !WIDTH_MODES.contains(&mode)) => {
                faults.push(&here, Rule::Value, "must be default, compact or fill");
            }
            "locales" => check_locales(value, &here, faults),
            "summary" => {
                let summary = only(value, &SUMMARY, "summary", &here, faults);
                if let Some(texts) = summary.and_then(|summary| summary.get("i18n_content")) {
                    let here = here.key("i18n_content");
                    locale::check_texts(texts, &locale::TOAST_AND_CARD, &here, faults);
                }
            }
            "style" => {
                only(value, &STYLE, "style", &here, faults);
            }
            _ => {}
        }
    }
}

fn check_locales(locales: &Value, at: &At<'_>, faults: &mut Faults) {
    let Some(locales) = locales.as_array() else {
        return faults.push(at, Rule::Type, "must be a list of locales");
    };
    for (index, locale) in locales.iter().enumerate() {
        let here = at.index(index);
        match locale.as_str() {
            Some(locale) => locale::check(locale, &locale::TOAST_AND_CARD, &here, faults),
            None => faults.push(&here, Rule::Type, "must be text"),
        }
    }
}

fn check_header(header: &Value, at: &At<'_>, faults: &mut Faults) {
    let Some(header) = only(header, &HEADER, "header", at, faults) else { return };
    for key in ["title", "subtitle"] {
        let Some(text) = header.get(key) else { continue };
        let here = at.key(key);
        match text.get("tag").and_then(Value::as_str) {
            Some("plain_text" | "lark_md") => {}
            Some(_) => faults.push(&here.key("tag"), Rule::Value, "must be plain_text or lark_md"),
            None => faults.push(&here, Rule::Type, "must be a text with a tag and a content"),
        }
    }
}
