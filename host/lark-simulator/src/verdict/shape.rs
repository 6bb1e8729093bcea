//! The typed parts of an answer, read as strictly as their documented types, and their text in one locale.

use serde_json::Map;
use serde_json::Value;

use crate::delivery::DeliveryKind;
use crate::user_error::Complaint;
use crate::user_error::UserError;
use crate::verdict::ToastKind;
use crate::verdict::ToastShown;

/// Fields of a link's address, one for each client and one for copying.
const LINK_FIELDS: [&str; 5] = ["copy_url", "ios", "android", "pc", "web"];

type Fields = Map<String, Value>;

/// Refuses an answer with members that are not documented: a bare card, a `code` and a `msg`, and the like are documented to be a
/// wrong format. In an answer of the old protocol, which is card JSON 1.0, only the new protocol's `card` is known to be wrong.
pub(super) fn only_documented(kind: DeliveryKind, answer: &Fields) -> Result<(), UserError> {
    let is_documented = |name: &str| match kind {
        DeliveryKind::CardAction => matches!(name, "toast" | "card"),
        DeliveryKind::LinkPreview => matches!(name, "inline" | "card"),
        DeliveryKind::LegacyCard => name != "card",
        DeliveryKind::Challenge
        | DeliveryKind::Approval(_)
        | DeliveryKind::Event
        | DeliveryKind::Other => true,
    };
    match answer.keys().find(|name| !is_documented(name)) {
        Some(name) => Err(wrong(&format!("`{name}` is no member of such an answer"))),
        None => Ok(()),
    }
}

/// Returns the toast of an answer. One without text is not shown.
pub(super) fn toast(answer: &Fields, locale: &str) -> Result<Option<ToastShown>, UserError> {
    let Some(toast) = object(answer, "toast")? else { return Ok(None) };
    let kind = match text(toast, "type")? {
        None | Some("info") => ToastKind::Info,
        Some("success") => ToastKind::Success,
        Some("error") => ToastKind::Error,
        Some("warning") => ToastKind::Warning,
        Some(other) => return Err(wrong(&format!("`toast.type` is `{other}`"))),
    };
    let content = text(toast, "content")?;
    let text = translated(object(toast, "i18n")?, locale, content)?;
    Ok(text.map(|text| ToastShown { kind, text }))
}

/// Returns the `inline` part of a link preview, with its title.
pub(super) fn inline(
    answer: &Fields,
    locale: &str,
) -> Result<Option<(Value, Option<String>)>, UserError> {
    let Some(inline) = object(answer, "inline")? else { return Ok(None) };
    text(inline, "image_key")?;
    if let Some(link) = object(inline, "url")? {
        for field in LINK_FIELDS {
            text(link, field)?;
        }
    }
    let title = translated(object(inline, "i18n_title")?, locale, text(inline, "title")?)?;
    Ok(Some((Value::Object(inline.clone()), title)))
}

/// Chooses the text in the viewer's language, else the untranslated text, else English, else any other.
fn translated(
    translations: Option<&Fields>,
    locale: &str,
    untranslated: Option<&str>,
) -> Result<Option<String>, UserError> {
    let mut texts = Vec::new();
    let given =
        translations.into_iter().flatten().filter(|(_, translation)| !translation.is_null());
    for (language, translation) in given {
        let Some(translation) = translation.as_str() else {
            return Err(wrong(&format!("the translation to `{language}` is not text")));
        };
        texts.push((language.as_str(), translation));
    }
    let find = |wanted: &str| {
        texts.iter().find(|(language, _)| *language == wanted).map(|(_, text)| *text)
    };
    let chosen = find(locale)
        .or(untranslated)
        .or_else(|| find("en_us"))
        .or_else(|| texts.first().map(|(_, text)| *text));
    Ok(chosen.filter(|text| !text.is_empty()).map(str::to_owned))
}

fn object<'a>(fields: &'a Fields, key: &str) -> Result<Option<&'a Fields>, UserError> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(wrong(&format!("`{key}` is not an object"))),
    }
}

fn text<'a>(fields: &'a Fields, key: &str) -> Result<Option<&'a str>, UserError> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(&format!("`{key}` is not text"))),
    }
}

fn wrong(reason: &str) -> UserError {
    Complaint::WrongFormat.because(reason)
}
