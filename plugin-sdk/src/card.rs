//! Building card JSON 2.0 without writing JSON. It covers what answers mostly need, not every component:
//! [`Element::raw`] takes the rest as the platform's documentation prints it.

mod button;
mod element;
mod header;
mod text;

use serde_json::Value;

use crate::Card;

pub use crate::card::button::Button;
pub use crate::card::button::ButtonStyle;
pub use crate::card::element::Element;
pub use crate::card::header::CardHeader;
pub use crate::card::header::HeaderColour;
pub use crate::card::text::Text;

/// A card in the making.
///
/// The platform takes at most 30 KB of JSON, 200 elements and five levels of containers. The host checks
/// these before it answers, drops a card that breaks one, keeps the toast, and logs the JSON path.
///
/// ```
/// use aviary_sdk::card::{Button, ButtonStyle, CardBuilder, CardHeader, HeaderColour};
/// use aviary_sdk::serde_json::json;
///
/// let card = CardBuilder::new()
///     .header(CardHeader::new("Leave request").colour(HeaderColour::Blue))
///     .markdown("**Ann** asks for 3 days")
///     .hr()
///     .row([
///         Button::new("Approve")
///             .style(ButtonStyle::Primary)
///             .callback(json!({"kind": "leave", "decision": "approve"})),
///         Button::new("Reject").callback(json!({"kind": "leave", "decision": "reject"})),
///     ])
///     .build();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct CardBuilder {
    header: Option<CardHeader>,
    summary: Option<Text>,
    elements: Vec<Value>,
}

impl CardBuilder {
    /// Creates an empty card.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the header: the coloured bar with the title.
    pub fn header(mut self, header: CardHeader) -> Self {
        self.header = Some(header);
        self
    }

    /// Sets the line that represents the card in the list of chats and in notifications.
    pub fn summary(mut self, summary: impl Into<Text>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    /// Adds a component below the earlier ones.
    pub fn element(mut self, element: impl Into<Element>) -> Self {
        self.elements.push(element.into().into_json());
        self
    }

    /// Adds text in the platform's Markdown; `<at id=ou_…></at>` names a person.
    pub fn markdown(self, text: impl Into<Text>) -> Self {
        self.element(Element::markdown(text))
    }

    /// Adds text that is shown verbatim, without interpreting Markdown: the platform's `div`.
    pub fn text(self, text: impl Into<Text>) -> Self {
        self.element(Element::text(text))
    }

    /// Adds a horizontal line across the card.
    pub fn hr(self) -> Self {
        self.element(Element::hr())
    }

    /// Adds a button below the earlier components.
    pub fn button(self, button: Button) -> Self {
        self.element(button)
    }

    /// Adds components side by side, each as wide as it needs to be.
    pub fn row<T: Into<Element>>(self, elements: impl IntoIterator<Item = T>) -> Self {
        self.element(Element::row(elements))
    }

    /// Returns the finished card, for a reply or a later update. [`Into<Card>`] does the same.
    pub fn build(self) -> Card {
        Card::Raw(self.into_json().to_string())
    }

    /// Returns the finished card as the platform's own JSON, for example to send it in a new message.
    pub fn into_json(self) -> Value {
        let body = object([("elements", self.elements.into())]);
        let mut card = object([("schema", "2.0".into()), ("body", body)]);
        if let Some(header) = self.header {
            card["header"] = header.into_json();
        }
        if let Some(summary) = self.summary {
            card["config"] = object([("summary", summary.into_fields().into())]);
        }
        card
    }
}

impl From<CardBuilder> for Card {
    fn from(card: CardBuilder) -> Self {
        card.build()
    }
}

/// Builds a JSON object from parts that are moved in. `json!` would serialise each part again, once for every level of the card
/// above it.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Card;
    use crate::card::Button;
    use crate::card::CardBuilder;
    use crate::card::CardHeader;
    use crate::card::Element;
    use crate::card::HeaderColour;
    use crate::card::Text;

    #[test]
    fn an_empty_card_is_a_card() {
        assert_eq!(
            CardBuilder::new().into_json(),
            json!({"schema": "2.0", "body": {"elements": []}})
        );
    }

    #[test]
    fn the_parts_stand_where_the_platform_expects_them() {
        let card = CardBuilder::new()
            .header(CardHeader::new("Leave").colour(HeaderColour::Green))
            .summary(Text::new("Leave").with("zh_cn", "请假"))
            .markdown("**Ann**")
            .text("3 days *")
            .hr()
            .button(Button::new("OK"))
            .element(Element::raw(json!({"tag": "img", "img_key": "img_1"})));
        assert_eq!(
            card.into_json(),
            json!({
                "schema": "2.0",
                "config": {"summary": {"content": "Leave", "i18n_content": {"zh_cn": "请假"}}},
                "header": {
                    "title": {"tag": "plain_text", "content": "Leave"},
                    "template": "green"
                },
                "body": {"elements": [
                    {"tag": "markdown", "content": "**Ann**"},
                    {"tag": "div", "text": {"tag": "plain_text", "content": "3 days *"}},
                    {"tag": "hr"},
                    {
                        "tag": "button",
                        "type": "default",
                        "text": {"tag": "plain_text", "content": "OK"}
                    },
                    {"tag": "img", "img_key": "img_1"}
                ]}
            })
        );
    }

    #[test]
    fn a_built_card_is_json_text() {
        let Card::Raw(text) = CardBuilder::new().markdown("line\n\"quoted\"").build() else {
            panic!("a built card is raw");
        };
        // Whether keys keep their order depends on what else is built with serde_json.
        let card: serde_json::Value = serde_json::from_str(&text).unwrap();
        let markdown = serde_json::json!({"tag": "markdown", "content": "line\n\"quoted\""});
        assert_eq!(card, serde_json::json!({"schema": "2.0", "body": {"elements": [markdown]}}));
    }
}
