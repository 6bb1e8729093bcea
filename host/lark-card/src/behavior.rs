//! Checks `behaviors`: the actions of a touched component in card JSON 2.0.

use serde_json::Map;
use serde_json::Value;

use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;

/// Keys of a link's address on each client; one of them must be there.
const LINKS: [&str; 4] = ["default_url", "android_url", "ios_url", "pc_url"];

pub(super) fn check(behaviors: &Value, at: &At<'_>, faults: &mut Faults) {
    let Some(behaviors) = behaviors.as_array() else {
        return faults.push(at, Rule::Type, "must be a list");
    };
    for (index, behavior) in behaviors.iter().enumerate() {
        let here = at.index(index);
        match behavior.as_object() {
            Some(behavior) => check_one(behavior, &here, faults),
            None => faults.push(&here, Rule::Type, "must be an object"),
        }
    }
}

fn check_one(behavior: &Map<String, Value>, at: &At<'_>, faults: &mut Faults) {
    match behavior.get("type").and_then(Value::as_str) {
        Some("callback") => match behavior.get("value") {
            Some(Value::Object(_) | Value::String(_)) => {}
            Some(_) => {
                faults.push(
                    &at.key("value"),
                    Rule::Type,
                    "must be an object, which the callback brings back",
                );
            }
            None => faults.push(
                &at.key("value"),
                Rule::Required,
                "a callback needs a value, which it brings back",
            ),
        },
        Some("open_url") => {
            let links = || LINKS.iter().filter_map(|link| Some((*link, behavior.get(*link)?)));
            if links().next().is_none() {
                faults.push(&at.key("default_url"), Rule::Required, "a link needs an address");
            }
            for (link, _) in links().filter(|(_, address)| !address.is_string()) {
                faults.push(&at.key(link), Rule::Type, "must be text");
            }
        }
        Some("form_action") => match behavior.get("behavior").and_then(Value::as_str) {
            Some("submit" | "reset") => {}
            _ => faults.push(&at.key("behavior"), Rule::Value, "must be submit or reset"),
        },
        Some(other) => faults.push(
            &at.key("type"),
            Rule::Value,
            format_args!("{other:?} is none of callback, open_url, form_action"),
        ),
        None => faults.push(&at.key("type"), Rule::Required, "callback or open_url is needed"),
    }
}
