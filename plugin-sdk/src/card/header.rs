//! `CardHeader`: the bar at the top of a card.

use serde_json::Value;

use crate::card::Text;
use crate::card::object;

/// The bar at the top: a title, perhaps a second line, and a colour.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct CardHeader {
    title: Text,
    subtitle: Option<Text>,
    colour: HeaderColour,
}

/// The header's colour, which the platform calls its template. Green usually says "done", red "failed"
/// and grey "over".
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the platform's own colour names, which need no words")]
pub enum HeaderColour {
    /// The client's own background.
    #[default]
    Default,
    Blue,
    Wathet,
    Turquoise,
    Green,
    Yellow,
    Orange,
    Red,
    Carmine,
    Violet,
    Purple,
    Indigo,
    Grey,
}

impl HeaderColour {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Blue => "blue",
            Self::Wathet => "wathet",
            Self::Turquoise => "turquoise",
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Orange => "orange",
            Self::Red => "red",
            Self::Carmine => "carmine",
            Self::Violet => "violet",
            Self::Purple => "purple",
            Self::Indigo => "indigo",
            Self::Grey => "grey",
        }
    }
}

impl CardHeader {
    /// A header with this title, shown as it is.
    pub fn new(title: impl Into<Text>) -> Self {
        Self { title: title.into(), subtitle: None, colour: HeaderColour::Default }
    }

    /// Sets a smaller line below the title.
    pub fn subtitle(mut self, subtitle: impl Into<Text>) -> Self {
        self.subtitle = Some(subtitle.into());
        self
    }

    /// Sets the colour of the bar.
    pub fn colour(mut self, colour: HeaderColour) -> Self {
        self.colour = colour;
        self
    }

    pub(crate) fn into_json(self) -> Value {
        let mut header = object([
            ("title", self.title.into_plain_text()),
            ("template", self.colour.name().into()),
        ]);
        if let Some(subtitle) = self.subtitle {
            header["subtitle"] = subtitle.into_plain_text();
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::card::CardHeader;
    use crate::card::HeaderColour;

    #[test]
    fn a_subtitle_is_optional() {
        assert_eq!(
            CardHeader::new("Done").into_json(),
            json!({"title": {"tag": "plain_text", "content": "Done"}, "template": "default"})
        );
        assert_eq!(
            CardHeader::new("Done").subtitle("today").colour(HeaderColour::Wathet).into_json(),
            json!({
                "title": {"tag": "plain_text", "content": "Done"},
                "subtitle": {"tag": "plain_text", "content": "today"},
                "template": "wathet"
            })
        );
    }
}
