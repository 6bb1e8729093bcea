//! Answers to a touched card: `CardReply` for the current protocol, `LegacyReply` for the old one.

use serde_json::Value;

use crate::Card;
use crate::CardReply;
use crate::CardTemplate;
use crate::CustomReply;
use crate::LegacyReply;
use crate::Toast;
use crate::card::CardBuilder;

impl CardReply {
    /// The card stays as it is and nothing is shown.
    pub fn unchanged() -> Self {
        Self { toast: None, card: None }
    }

    /// Shows a toast; the card stays as it is.
    pub fn toast(toast: Toast) -> Self {
        Self { toast: Some(toast), card: None }
    }

    /// Replaces the card, which must be of the same version (1.0 or 2.0) as the one it replaces.
    pub fn card(card: impl Into<Card>) -> Self {
        Self { toast: None, card: Some(card.into()) }
    }

    /// Shows a toast as well.
    #[must_use]
    pub fn with_toast(mut self, toast: Toast) -> Self {
        self.toast = Some(toast);
        self
    }

    /// Replaces the card as well.
    #[must_use]
    pub fn with_card(mut self, card: impl Into<Card>) -> Self {
        self.card = Some(card.into());
        self
    }
}

impl Default for CardReply {
    fn default() -> Self {
        Self::unchanged()
    }
}

impl From<Toast> for CardReply {
    fn from(toast: Toast) -> Self {
        Self::toast(toast)
    }
}

impl From<Card> for CardReply {
    fn from(card: Card) -> Self {
        Self::card(card)
    }
}

impl From<CardBuilder> for CardReply {
    fn from(card: CardBuilder) -> Self {
        Self::card(card)
    }
}

impl From<CardTemplate> for CardReply {
    fn from(template: CardTemplate) -> Self {
        Self::card(template)
    }
}

impl LegacyReply {
    /// Replaces the card. The old protocol takes card JSON 1.0, which [`Card::Raw`] carries, or a
    /// template.
    pub fn card(card: impl Into<Card>) -> Self {
        Self::Card(card.into())
    }

    /// Answers with this HTTP status and this JSON, word for word.
    pub fn custom(status: u16, body: &Value) -> Self {
        Self::Custom(CustomReply { status, body: body.to_string() })
    }
}

impl From<Toast> for LegacyReply {
    fn from(toast: Toast) -> Self {
        Self::Toast(toast)
    }
}

impl From<Card> for LegacyReply {
    fn from(card: Card) -> Self {
        Self::Card(card)
    }
}

impl From<CardTemplate> for LegacyReply {
    fn from(template: CardTemplate) -> Self {
        Self::card(template)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Card;
    use crate::CardReply;
    use crate::CardTemplate;
    use crate::CustomReply;
    use crate::LegacyReply;
    use crate::Toast;
    use crate::card::CardBuilder;

    #[test]
    fn a_toast_and_a_card_come_in_either_order() {
        let card = Card::Raw("{}".to_owned());
        let one = CardReply::from(Toast::info("a")).with_card(card.clone());
        let other = CardReply::from(card).with_toast(Toast::info("a"));
        assert_eq!(one, other);
    }

    #[test]
    fn every_kind_of_card_becomes_a_reply() {
        let template = CardTemplate::new("AAq");
        assert_eq!(CardReply::from(template.clone()).card, Some(Card::Template(template.clone())));
        assert_eq!(
            LegacyReply::from(template.clone()),
            LegacyReply::Card(Card::Template(template))
        );
        let built = CardBuilder::new().markdown("hi");
        assert_eq!(CardReply::from(built.clone()).card, Some(built.build()));
        assert_eq!(CardReply::default(), CardReply::unchanged());
    }

    #[test]
    fn a_custom_answer_is_kept_word_for_word() {
        let expected = CustomReply { status: 202, body: r#"{"ok":true}"#.to_owned() };
        assert_eq!(LegacyReply::custom(202, &json!({"ok": true})), LegacyReply::Custom(expected));
    }
}
