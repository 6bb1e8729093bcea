//! `CardTemplate`: a card drawn in the platform's card editor and filled in by variables.

use serde_json::Value;

use crate::Card;
use crate::CardTemplate;

impl CardTemplate {
    /// Uses the template's newest published version, without variables.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), version_name: None, variables: None }
    }

    /// Pins a published version, such as `1.0.3`.
    #[must_use]
    pub fn version(mut self, name: impl Into<String>) -> Self {
        self.version_name = Some(name.into());
        self
    }

    /// Sets the template's variables: an object of name to value. They count towards the card's 30 KB.
    #[must_use]
    pub fn variables(mut self, variables: &Value) -> Self {
        self.variables = Some(variables.to_string());
        self
    }
}

impl From<CardTemplate> for Card {
    fn from(template: CardTemplate) -> Self {
        Self::Template(template)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Card;
    use crate::CardTemplate;

    #[test]
    fn variables_travel_as_json_text() {
        let template = CardTemplate::new("AAq").version("1.0.0").variables(&json!({"who": "Ann"}));
        let Card::Template(template) = Card::from(template) else {
            panic!("a template is not a raw card");
        };
        assert_eq!(template.variables.as_deref(), Some(r#"{"who":"Ann"}"#));
        assert_eq!(template.version_name.as_deref(), Some("1.0.0"));
    }
}
