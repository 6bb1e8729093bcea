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

/// Returns what is wrong with a locale that is not in `allowed`, one of the two lists of this module.
pub fn fault(locale: &str, allowed: &[&str; 16]) -> Option<String> {
    if allowed.contains(&locale) {
        return None;
    }
    Some(match locale {
        "ms_my" => {
            "Malay is for toasts and cards; the title of a preview has hi_in instead".to_owned()
        }
        "hi_in" => {
            "Hindi is for the title of a preview; toasts and cards have ms_my instead".to_owned()
        }
        _ => format!("not one of {}", allowed.join(", ")),
    })
}

/// Checks the texts by locale of a toast or of a preview's title.
pub fn check_texts(texts: &Value, allowed: &[&str; 16], at: &At<'_>, faults: &mut Faults) {
    let Some(texts) = texts.as_object() else {
        return faults.push(at, Rule::Type, "must be an object of texts by locale");
    };
    for (locale, text) in texts {
        let here = at.key(locale);
        if let Some(words) = fault(locale, allowed) {
            faults.push(&here, Rule::Locale, words);
        }
        if !text.is_string() {
            faults.push(&here, Rule::Type, "must be text");
        }
    }
}
