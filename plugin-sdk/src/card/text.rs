//! `Text`: a card's text, in one or several languages.

use serde_json::Map;
use serde_json::Value;

use crate::Translations;

/// Text that every client shows, and better text for clients in certain languages. A plain `&str` or
/// `String` turns into one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct Text {
    content: String,
    translations: Translations,
}

impl Text {
    /// Text for clients in any language.
    pub fn new(content: impl Into<String>) -> Self {
        Self { content: content.into(), translations: Vec::new() }
    }

    /// Adds the text for one locale, replacing an earlier one for the same locale. The locales are those
    /// of [`Toast::with`](crate::Toast::with).
    pub fn with(mut self, locale: impl Into<String>, text: impl Into<String>) -> Self {
        crate::translation::put(&mut self.translations, locale.into(), text.into());
        self
    }

    /// `{"tag":"plain_text",…}`, for the places where the platform wants an object.
    pub(crate) fn into_plain_text(self) -> Value {
        let mut fields = self.into_fields();
        fields.insert("tag".to_owned(), "plain_text".into());
        fields.into()
    }

    /// `content` and, where there are translations, `i18n_content`.
    pub(crate) fn into_fields(self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("content".to_owned(), self.content.into());
        if !self.translations.is_empty() {
            let translations: Map<String, Value> = self
                .translations
                .into_iter()
                .map(|(locale, text)| (locale, Value::from(text)))
                .collect();
            fields.insert("i18n_content".to_owned(), translations.into());
        }
        fields
    }
}

impl From<&str> for Text {
    fn from(content: &str) -> Self {
        Self::new(content)
    }
}

impl From<String> for Text {
    fn from(content: String) -> Self {
        Self::new(content)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::card::Text;

    #[test]
    fn translations_appear_only_if_there_are_some() {
        assert_eq!(
            Text::from("OK").into_plain_text(),
            json!({"tag": "plain_text", "content": "OK"})
        );
        assert_eq!(
            Text::new("OK").with("zh_cn", "好").with("zh_cn", "可以").into_plain_text(),
            json!({"tag": "plain_text", "content": "OK", "i18n_content": {"zh_cn": "可以"}})
        );
    }
}
