//! The locales of the platform, and which list applies where.

use serde_json::Value;

use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;

/// Toasts and cards, as documented for card content in several languages.
pub const TOAST_AND_CARD: [&str; 16] = [
    "zh_cn", "en_us", "zh_hk", "zh_tw", "ja_jp", "id_id", "vi_vn", "th_th", "pt_br", "es_es",
    "ko_kr", "de_de", "fr_fr", "it_it", "ru_ru", "ms_my",
];
/// The title of a link preview: Hindi in the place of Malay.
pub const PREVIEW_TITLE: [&str; 16] = [
    "zh_cn", "en_us", "zh_hk", "zh_tw", "ja_jp", "id_id", "vi_vn", "th_th", "pt_br", "es_es",
    "ko_kr", "de_de", "fr_fr", "it_it", "ru_ru", "hi_in",
];

/// Adds a fault if `locale` is not in `allowed`, one of the two lists of this module.
pub fn check(locale: &str, allowed: &[&str; 16], at: &At<'_>, faults: &mut Faults) {
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

/// Checks an object of texts by locale, such as `i18n_content`.
pub fn check_texts(texts: &Value, allowed: &[&str; 16], at: &At<'_>, faults: &mut Faults) {
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
