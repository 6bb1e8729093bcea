//! `Element`: one component of a card's body.

use serde_json::Value;

use crate::card::Button;
use crate::card::Text;
use crate::card::object;

/// One component of a card's body.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Element(Value);

impl Element {
    /// Text in the platform's Markdown; `<at id=ou_…></at>` names a person.
    pub fn markdown(text: impl Into<Text>) -> Self {
        let mut fields = text.into().into_fields();
        fields.insert("tag".to_owned(), "markdown".into());
        Self(fields.into())
    }

    /// Text that is shown verbatim, without interpreting Markdown: the platform's `div`.
    pub fn text(text: impl Into<Text>) -> Self {
        Self(object([("tag", "div".into()), ("text", text.into().into_plain_text())]))
    }

    /// A line across the card.
    pub fn hr() -> Self {
        Self(object([("tag", "hr".into())]))
    }

    /// Components side by side, each as wide as it needs to be.
    pub fn row<T: Into<Element>>(elements: impl IntoIterator<Item = T>) -> Self {
        let column = |element: T| {
            object([
                ("tag", "column".into()),
                ("width", "auto".into()),
                ("elements", vec![element.into().0].into()),
            ])
        };
        Self::column_set(elements.into_iter().map(column).collect())
    }

    /// Columns of equal width, each with its components from top to bottom.
    pub fn columns(columns: impl IntoIterator<Item = Vec<Element>>) -> Self {
        let column = |elements: Vec<Element>| {
            let elements: Vec<Value> = elements.into_iter().map(Element::into_json).collect();
            object([
                ("tag", "column".into()),
                ("width", "weighted".into()),
                ("weight", 1.into()),
                ("elements", elements.into()),
            ])
        };
        Self::column_set(columns.into_iter().map(column).collect())
    }

    /// Any other component, as the platform's documentation prints it. In card JSON 2.0 an unknown
    /// property is an error that costs the whole card.
    pub fn raw(component: Value) -> Self {
        Self(component)
    }

    pub(crate) fn into_json(self) -> Value {
        self.0
    }

    fn column_set(columns: Vec<Value>) -> Self {
        Self(object([("tag", "column_set".into()), ("columns", columns.into())]))
    }
}

impl From<Button> for Element {
    fn from(button: Button) -> Self {
        Self(button.into_json())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::card::Element;

    #[test]
    fn a_row_gives_each_component_a_column_of_its_own() {
        assert_eq!(
            Element::row([Element::hr()]).into_json(),
            json!({
                "tag": "column_set",
                "columns": [{"tag": "column", "width": "auto", "elements": [{"tag": "hr"}]}]
            })
        );
    }

    #[test]
    fn columns_share_the_width() {
        let columns = Element::columns([vec![Element::hr(), Element::hr()], vec![]]).into_json();
        assert_eq!(columns["columns"][0]["elements"].as_array().map(Vec::len), Some(2));
        assert_eq!(columns["columns"][1]["weight"], 1);
    }
}
