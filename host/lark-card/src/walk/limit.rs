//! Holds a value to its limits: enumerations, formats, numbers, and values that are used once.

use serde_json::Map;
use serde_json::Value;

use crate::fault::At;
use crate::fault::Rule;
use crate::format;
use crate::format::Format;
use crate::rules::Limit;
use crate::rules::Limited;
use crate::rules::Property;
use crate::rules::Scope;
use crate::walk::Place;
use crate::walk::Walk;

/// A value that is used once: the scope with its number, the property, and the value.
pub(super) type Used<'c> = (u8, usize, &'static str, &'c str);

impl<'c> Walk<'c, '_> {
    /// Returns false if the limits that follow have nothing more to say.
    pub(super) fn limit(
        &mut self,
        shape: usize,
        property: &'static Property,
        limited: &'static Limited,
        (fields, value): (&'c Map<String, Value>, &'c Value),
        at: &At<'_>,
        place: Place,
    ) -> bool {
        let text = text_of(value);
        // What a variable stands for is known to the platform alone.
        if text.is_some_and(|text| text.contains("${")) {
            return true;
        }
        let (rule, words) = match &limited.limit {
            Limit::Values(values) => match value {
                Value::String(_) | Value::Number(_) | Value::Bool(_) if !values.contains(value) => {
                    (Rule::Value, format!("must be one of {}", list(values)))
                }
                _ => return true,
            },
            Limit::Removed(values) if values.contains(value) => (
                Rule::Removed,
                format!("{value} does not exist in card JSON {}", self.rules.version),
            ),
            Limit::Removed(_) => return true,
            Limit::Format(format) => match value.as_str() {
                Some(text) if !format.takes(text) => {
                    let rule =
                        if *format == Format::ElementId { Rule::ElementId } else { Rule::Value };
                    (rule, format!("{text:?}: {}", format.words()))
                }
                _ => return true,
            },
            Limit::Number { min, max } => match value.as_f64() {
                Some(number) if min.is_some_and(|min| number < min) => {
                    (Rule::Limit, range(*min, *max))
                }
                Some(number) if max.is_some_and(|max| number > max) => {
                    (Rule::Limit, range(*min, *max))
                }
                _ => return true,
            },
            Limit::Chars { min, max } => {
                let Some(text) = text else { return true };
                // A text has no more characters than bytes, and counting bytes is free.
                if text.len() >= *min && text.len() <= *max {
                    return true;
                }
                match text.chars().count() {
                    chars if (*min..=*max).contains(&chars) => return true,
                    chars => (Rule::Limit, counted(chars, "characters", *min, *max)),
                }
            }
            Limit::Items { min, max } => match value.as_array().map(Vec::len) {
                None => return true,
                Some(items) if (*min..=*max).contains(&items) => return true,
                Some(items) => {
                    let is_table = property.name == "columns";
                    let rule = if is_table { Rule::Tables } else { Rule::Limit };
                    (rule, counted(items, &property.name, *min, *max))
                }
            },
            Limit::Tables(max) => {
                let tables = text.map_or(0, format::tables);
                self.counted.tables_in_markdown += tables;
                if tables <= *max {
                    return true;
                }
                (Rule::Tables, format!("{tables} tables; {max} at most in one markdown text"))
            }
            Limit::InForm if place.form.is_none() => {
                (Rule::Place, "stands inside a form only".to_owned())
            }
            Limit::TrueInForm if *value == Value::Bool(true) && place.form.is_none() => {
                (Rule::Place, "works inside a form only".to_owned())
            }
            Limit::InForm | Limit::TrueInForm => return true,
            Limit::Unique(scope) => {
                let Some(value) = value.as_str() else { return true };
                if self.is_new(*scope, shape, property, value, place) {
                    return true;
                }
                let rule = match property.name.as_str() {
                    "element_id" => Rule::DuplicateId,
                    "name" => Rule::DuplicateName,
                    _ => Rule::DuplicateValue,
                };
                let words = format!(
                    "another {} of this {} is {value:?} already",
                    property.name,
                    scope_words(*scope)
                );
                self.faults.add(limited.severity, at, rule, words);
                return false;
            }
            Limit::Among { list, member } => match stranger(fields, list, member, value) {
                Some(stranger) => {
                    (Rule::Option, format!("{stranger} is the {member} of none of the {list}"))
                }
                None => return true,
            },
        };
        self.faults.add(limited.severity, at, rule, words);
        true
    }

    fn is_new(
        &mut self,
        scope: Scope,
        shape: usize,
        property: &'static Property,
        value: &'c str,
        place: Place,
    ) -> bool {
        let (kind, number) = match scope {
            Scope::List => (0, place.list),
            Scope::Form => match place.form {
                Some(form) => (1, form),
                None => return true,
            },
            Scope::SameKind => (2, shape),
            Scope::Card => (3, 0),
        };
        self.used.insert((kind, number, property.name.as_str(), value))
    }
}

/// Returns the text of a value, or of a text object.
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(text) => text.get("content").and_then(Value::as_str),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Returns the value, or the first of the values, that no item of the sibling `list` has as its `member`.
fn stranger<'v>(
    fields: &Map<String, Value>,
    list: &str,
    member: &str,
    value: &'v Value,
) -> Option<&'v Value> {
    let items = fields.get(list)?.as_array()?;
    let is_there = |value: &Value| items.iter().any(|item| item.get(member) == Some(value));
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    // An empty text selects nothing, and only texts are compared: another fault is about everything else.
    values.iter().find(|value| value.is_string() && **value != "" && !is_there(value))
}

fn list(values: &[Value]) -> String {
    let values: Vec<String> = values
        .iter()
        .map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
        .collect();
    values.join(", ")
}

fn range(min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("must be from {min} to {max}"),
        (Some(min), None) => format!("must be {min} or more"),
        (None, Some(max)) => format!("must be {max} at most"),
        (None, None) => String::new(),
    }
}

fn counted(number: usize, what: &str, min: usize, max: usize) -> String {
    if number < min {
        format!("{number} {what}; {min} at least")
    } else {
        format!("{number} {what}; {max} at most")
    }
}

fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::List => "list",
        Scope::Form => "form",
        Scope::SameKind | Scope::Card => "card",
    }
}
