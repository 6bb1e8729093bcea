//! Lists of (locale, text), which the contract uses wherever the platform takes several languages.

use crate::Translations;

/// Sets one locale's text, replacing an earlier one. The platform reads these lists into an object, where a repeated key would
/// leave it to chance which text wins.
pub(crate) fn put(translations: &mut Translations, locale: String, text: String) {
    match translations.iter_mut().find(|(known, _)| *known == locale) {
        Some((_, known_text)) => *known_text = text,
        None => translations.push((locale, text)),
    }
}
