//! `Action`: the content of the touched component. Its typed fields need no help; these methods read the JSON ones.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Action;
use crate::json::JsonError;
use crate::json::read;

impl Action {
    /// The card's own `value`: an object, or a JSON string where the card gave a string.
    ///
    /// # Errors
    /// [`JsonError::Absent`] if the component carried no value.
    pub fn value_json(&self) -> Result<Value, JsonError> {
        self.value_as()
    }

    /// The card's own `value`, read into a type of yours.
    ///
    /// # Errors
    /// [`JsonError::Absent`] if the component carried no value, [`JsonError::Malformed`] if it has
    /// another shape.
    pub fn value_as<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        read("action.value", self.value.as_deref())
    }

    /// Content of the submitted form: component name to text, or to a list of texts. Dates carry their zone, as in `2024-04-01
    /// +0800`; people are open ids.
    ///
    /// # Errors
    /// [`JsonError::Absent`] if no form was submitted.
    pub fn form_value_json(&self) -> Result<Value, JsonError> {
        self.form_value_as()
    }

    /// The submitted form, read into a type of yours.
    ///
    /// # Errors
    /// [`JsonError::Absent`] if no form was submitted, [`JsonError::Malformed`] if it has another
    /// shape.
    pub fn form_value_as<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        read("action.form-value", self.form_value.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::Action;
    use crate::json::JsonError;

    fn button(value: Option<&str>) -> Action {
        Action {
            tag: "button".to_owned(),
            name: None,
            value: value.map(str::to_owned),
            option: None,
            options: Vec::new(),
            checked: None,
            input_value: None,
            form_value: None,
            timezone: None,
        }
    }

    #[test]
    fn a_value_is_an_object_or_a_string() -> Result<(), JsonError> {
        assert_eq!(button(Some(r#"{"kind":"leave"}"#)).value_json()?, json!({"kind": "leave"}));
        assert_eq!(button(Some(r#""approve""#)).value_json()?, json!("approve"));
        Ok(())
    }

    #[test]
    fn a_value_can_be_read_into_a_type() -> Result<(), JsonError> {
        let value: BTreeMap<String, u32> = button(Some(r#"{"days":3}"#)).value_as()?;
        assert_eq!(value["days"], 3);
        Ok(())
    }

    #[test]
    fn a_component_without_value_or_form_says_so() {
        let bare = button(None);
        assert!(matches!(bare.value_json(), Err(JsonError::Absent { .. })));
        assert!(matches!(bare.form_value_json(), Err(JsonError::Absent { .. })));
    }
}
