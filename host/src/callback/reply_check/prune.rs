//! Removes what cannot be shown from the parts of an answer that are not cards. Every field is optional, and `null` is absent.

use lark_card::fault::At;
use lark_card::fault::Faults;
use lark_card::fault::Rule;
use lark_card::locale;
use serde_json::Map;
use serde_json::Value;

use crate::callback::reply_check::mends::Notes;

/// The members of a toast.
pub(super) const TOAST_MEMBERS: [&str; 3] = ["type", "content", "i18n"];
/// The values of a toast's `type`.
pub(super) const TOAST_TYPES: [&str; 4] = ["info", "success", "error", "warning"];
/// The members of the text that replaces a link.
pub(super) const INLINE_MEMBERS: [&str; 4] = ["title", "i18n_title", "image_key", "url"];
/// The names of link targets, one for each client.
const LINK_FIELDS: [&str; 5] = ["copy_url", "ios", "android", "pc", "web"];

/// Returns the toast without what cannot be shown; `None` if nothing is left.
pub(super) fn toast(mut toast: Value, at: &At<'_>, notes: &mut Notes) -> Option<Value> {
    let fields = fields(&mut toast, &TOAST_MEMBERS, at, notes)?;
    match fields.get("type") {
        None => {}
        Some(Value::String(kind)) if TOAST_TYPES.contains(&kind.as_str()) => {}
        Some(_) => {
            let words = "must be info, success, error or warning; shown as info";
            notes.faults.push(&at.key("type"), Rule::Value, words);
            fields.shift_remove("type");
        }
    }
    only_text(fields, "content", at, &mut notes.faults);
    texts(fields, "i18n", &locale::TOAST_AND_CARD, at, &mut notes.faults);
    if fields.contains_key("content") || fields.contains_key("i18n") {
        return Some(toast);
    }
    if fields.contains_key("type") {
        notes.mends.push(at, "left out: a toast without `content` and `i18n` shows nothing");
    }
    None
}

/// Returns the text for a link without what cannot be shown; `None` if nothing is left.
pub(super) fn inline(mut inline: Value, at: &At<'_>, notes: &mut Notes) -> Option<Value> {
    let fields = fields(&mut inline, &INLINE_MEMBERS, at, notes)?;
    for key in ["title", "image_key"] {
        only_text(fields, key, at, &mut notes.faults);
    }
    let url_at = at.key("url");
    match fields.get_mut("url") {
        None => {}
        Some(Value::Object(links)) => {
            links.retain(|client, link| is_link(client, link, &url_at, &mut notes.faults));
            if links.is_empty() {
                fields.shift_remove("url");
            }
        }
        Some(_) => {
            let words = "must be an object of addresses by client";
            notes.faults.push(&url_at, Rule::Type, words);
            fields.shift_remove("url");
        }
    }
    texts(fields, "i18n_title", &locale::PREVIEW_TITLE, at, &mut notes.faults);
    (!fields.is_empty()).then_some(inline)
}

fn is_link(client: &str, link: &Value, at: &At<'_>, faults: &mut Faults) -> bool {
    let here = at.key(client);
    if link.is_null() {
        return false;
    }
    if !LINK_FIELDS.contains(&client) {
        let words = format_args!("not one of {}", LINK_FIELDS.join(", "));
        faults.push(&here, Rule::UnknownProperty, words);
    } else if !link.is_string() {
        faults.push(&here, Rule::Type, "must be text");
    }
    LINK_FIELDS.contains(&client) && link.is_string()
}

/// Returns the documented members of a part. The others are left out, because the platform may refuse the answer for them.
fn fields<'v>(
    part: &'v mut Value,
    members: &[&str],
    at: &At<'_>,
    notes: &mut Notes,
) -> Option<&'v mut Map<String, Value>> {
    let Some(fields) = part.as_object_mut() else {
        notes.faults.push(at, Rule::Type, "must be an object");
        return None;
    };
    fields.retain(|_, value| !value.is_null());
    let unknown = fields.keys().filter(|name| !members.contains(&name.as_str()));
    if let Some(words) = quoted(unknown) {
        let words = format!("left out {words}: the members are {}", members.join(", "));
        notes.mends.push(at, words);
        fields.retain(|name, _| members.contains(&name.as_str()));
    }
    Some(fields)
}

/// Lists the first of these names; `None` if there are none.
pub(super) fn quoted(names: impl Iterator<Item = impl AsRef<str>>) -> Option<String> {
    const MOST_NAMES: usize = 5;
    const MOST_CHARACTERS: usize = 40;
    let mut names = names.map(|name| {
        let name: String = name.as_ref().chars().take(MOST_CHARACTERS).collect();
        format!("`{name}`")
    });
    let first: Vec<_> = names.by_ref().take(MOST_NAMES).collect();
    let beyond = names.count();
    match (first.is_empty(), beyond) {
        (true, _) => None,
        (false, 0) => Some(first.join(", ")),
        (false, beyond) => Some(format!("{} and {beyond} more", first.join(", "))),
    }
}

fn only_text(fields: &mut Map<String, Value>, key: &str, at: &At<'_>, faults: &mut Faults) {
    if fields.get(key).is_some_and(|text| !text.is_string()) {
        faults.push(&at.key(key), Rule::Type, "must be text");
        fields.shift_remove(key);
    }
}

/// Removes texts whose locale the platform does not document for that field: the others can be shown without them.
fn texts(
    fields: &mut Map<String, Value>,
    key: &str,
    allowed: &[&str; 16],
    at: &At<'_>,
    faults: &mut Faults,
) {
    let Some(texts) = fields.get_mut(key) else { return };
    if let Some(texts) = texts.as_object_mut() {
        texts.retain(|_, text| !text.is_null());
    }
    locale::check_texts(texts, allowed, &at.key(key), faults);
    let is_left = texts.as_object_mut().is_some_and(|texts| {
        texts.retain(|locale, text| allowed.contains(&locale.as_str()) && text.is_string());
        !texts.is_empty()
    });
    if !is_left {
        fields.shift_remove(key);
    }
}
