//! `Button`: a clickable component of a card.

use serde_json::Value;

use crate::card::Text;
use crate::card::object;

/// A button. Without [`Button::callback`] or [`Button::open_url`] a click does nothing.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Button {
    label: Text,
    style: ButtonStyle,
    name: Option<String>,
    behaviours: Vec<Value>,
    confirmation: Option<(Text, Text)>,
}

/// Look of a button, which the platform calls its type.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ButtonStyle {
    /// Black text in a frame (the default).
    #[default]
    Default,
    /// Blue text in a frame.
    Primary,
    /// Red text in a frame.
    Danger,
    /// Black text without a frame.
    Text,
    /// Blue text without a frame.
    PrimaryText,
    /// Red text without a frame.
    DangerText,
    /// White text on blue.
    PrimaryFilled,
    /// White text on red.
    DangerFilled,
}

impl ButtonStyle {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Primary => "primary",
            Self::Danger => "danger",
            Self::Text => "text",
            Self::PrimaryText => "primary_text",
            Self::DangerText => "danger_text",
            Self::PrimaryFilled => "primary_filled",
            Self::DangerFilled => "danger_filled",
        }
    }
}

impl Button {
    /// Creates a button with this label.
    pub fn new(label: impl Into<Text>) -> Self {
        Self {
            label: label.into(),
            style: ButtonStyle::Default,
            name: None,
            behaviours: Vec::new(),
            confirmation: None,
        }
    }

    /// Sets the button's look.
    pub fn style(mut self, style: ButtonStyle) -> Self {
        self.style = style;
        self
    }

    /// Sets the name that comes back as `action.name`. Inside a form it is required, and unique.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Makes a click call back with this value, which comes back as `action.value`. Use an object: the
    /// platform's own SDKs in other languages cannot read a string.
    pub fn callback(mut self, value: Value) -> Self {
        self.behaviours.push(object([("type", "callback".into()), ("value", value)]));
        self
    }

    /// Makes a click open this address.
    pub fn open_url(mut self, url: impl Into<String>) -> Self {
        let url = Value::String(url.into());
        self.behaviours.push(object([("type", "open_url".into()), ("default_url", url)]));
        self
    }

    /// Asks the user before the click counts.
    pub fn confirm(mut self, title: impl Into<Text>, text: impl Into<Text>) -> Self {
        self.confirmation = Some((title.into(), text.into()));
        self
    }

    pub(crate) fn into_json(self) -> Value {
        let mut button = object([
            ("tag", "button".into()),
            ("type", self.style.name().into()),
            ("text", self.label.into_plain_text()),
        ]);
        if let Some(name) = self.name {
            button["name"] = name.into();
        }
        if !self.behaviours.is_empty() {
            button["behaviors"] = self.behaviours.into();
        }
        if let Some((title, text)) = self.confirmation {
            button["confirm"] =
                object([("title", title.into_plain_text()), ("text", text.into_plain_text())]);
        }
        button
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::card::Button;
    use crate::card::ButtonStyle;

    #[test]
    fn a_button_carries_its_value_in_a_behaviour() {
        let button = Button::new("Approve")
            .style(ButtonStyle::PrimaryFilled)
            .name("approve")
            .callback(json!({"kind": "leave"}))
            .open_url("https://example.com")
            .confirm("Sure?", "It cannot be undone");
        assert_eq!(
            button.into_json(),
            json!({
                "tag": "button",
                "type": "primary_filled",
                "name": "approve",
                "text": {"tag": "plain_text", "content": "Approve"},
                "behaviors": [
                    {"type": "callback", "value": {"kind": "leave"}},
                    {"type": "open_url", "default_url": "https://example.com"}
                ],
                "confirm": {
                    "title": {"tag": "plain_text", "content": "Sure?"},
                    "text": {"tag": "plain_text", "content": "It cannot be undone"}
                }
            })
        );
    }
}
