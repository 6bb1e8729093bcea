//! The locales of the platform, and which list applies where.

use serde_json::Value;

use crate::callback::fault::At;
use crate::callback::fault::Faults;
use crate::callback::fault::Rule;

/// Toasts and cards, as documented for card content in several languages.
pub(super) const TOAST_AND_CARD: [&str; 16] = [
    "zh_cn", "en_us", "zh_hk", "zh_tw", "ja_jp", "id_id", "vi_vn", "th_th", "pt_br", "es_es",
    "ko_kr", "de_de", "fr_fr", "it_it", "ru_ru", "ms_my",
];
/// The title of a link preview: Hindi in the place of Malay.
pub(super) const PREVIEW_TITLE: [&str; 16] = [
    "zh_cn", "en_us", "zh_hk", "zh_tw", "ja_jp", "id_id", "vi_vn", "th_th", "pt_br", "es_es",
    "ko_kr", "de_de", "fr_fr", "it_it", "ru_ru", "hi_in",
];

/// Names one that is not in `allowed`.
pub(super) fn check(locale: &str, allowed: &[&str; 16], at: &At<'_>, faults: &mut Faults) {
    if allowed.contains(&locale) {
        return;
    }
    let words = match locale {
        "ms_my" => "Malay is for toasts and cards; the title of a preview has hi_in instead",
        "hi_in" => "Hindi is for the title of a preview; toasts and cards have ms_my instead",
        _ => {
            return faults.push(
                at,
                Rule::Locale,
                format_args!("not one of {}", allowed.join(", ")),
            );
        }
    };
    faults.push(at, Rule::Locale, words);
}

/// An object of texts by locale.
pub(super) fn check_texts(texts: &Value, allowed: &[&str; 16], at: &At<'_>, faults: &mut Faults) {
    let Some(texts) = texts.as_object() else {
        return faults.push(at, Rule::Type, "must be an object of texts by locale");
    };
    for (locale, text) in texts {
        let here = at.key(locale);
        check(locale, allowed, &here, faults);
        if !text.is_string() {
            faults.push(&here, Rule::Type, "must be text");
        }
    }
}
