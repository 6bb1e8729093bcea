//! Holds a value to the kind that is wanted of it.

use std::mem::take;

use serde_json::Map;
use serde_json::Value;

use crate::fault::At;
use crate::fault::Rule;
use crate::fault::Severity;
use crate::locale;
use crate::rules::Kind;
use crate::rules::Property;
use crate::walk::Place;
use crate::walk::Walk;

impl<'c> Walk<'c, '_> {
    /// Checks the value of a property, and everything inside it.
    pub(super) fn value(
        &mut self,
        property: &'static Property,
        value: &'c Value,
        at: &At<'_>,
        place: Place,
    ) {
        self.kind(&property.kind, property.severity, value, at, place);
    }

    /// `severity` is that of a value of another kind, where it is not the usual one.
    fn kind(
        &mut self,
        kind: &'static Kind,
        severity: Option<Severity>,
        value: &'c Value,
        at: &At<'_>,
        place: Place,
    ) {
        match (kind, value) {
            (Kind::Any, _)
            | (Kind::Text, Value::String(_))
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Number, Value::Number(_))
            | (Kind::Object, Value::Object(_)) => {}
            (Kind::Integer, Value::Number(number))
                if number.is_i64()
                    || number.is_u64()
                    || number.as_f64().is_some_and(|number| number.fract() == 0.0) => {}
            (Kind::Locale, Value::String(locale)) => self.locale(locale, at),
            (Kind::List(inner), Value::Array(items)) => {
                self.lists += 1;
                let place = Place { list: self.lists, ..place };
                for (index, item) in items.iter().enumerate() {
                    self.kind(inner, severity, item, &at.index(index), place);
                }
            }
            (Kind::Locales(inner), Value::Object(values)) => {
                self.locales(inner, severity, values, at, place);
            }
            (Kind::Map(inner), Value::Object(values)) => {
                for (name, value) in present(values) {
                    self.kind(inner, severity, value, &at.key(name), place);
                }
            }
            (Kind::Shape(shape), Value::Object(fields)) => self.object(*shape, fields, at, place),
            (Kind::Element, Value::Object(fields)) => self.element(fields, at, place),
            (Kind::OneOf(kinds), _) => self.one_of(kinds, severity, value, at, place),
            _ => self.wrong_kind(std::slice::from_ref(kind), severity, value, at),
        }
    }

    fn locales(
        &mut self,
        inner: &'static Kind,
        severity: Option<Severity>,
        values: &'c Map<String, Value>,
        at: &At<'_>,
        place: Place,
    ) {
        for (locale, value) in present(values) {
            let here = at.key(locale);
            self.locale(locale, &here);
            if !matches!(inner, Kind::List(_)) {
                self.kind(inner, severity, value, &here, place);
                continue;
            }
            // A user sees one of the translations, so that they may have names and numbers in common.
            let (used, counted) = (take(&mut self.used), take(&mut self.counted));
            self.kind(inner, severity, value, &here, place);
            self.used = used;
            self.counted = self.counted.most(counted);
        }
    }

    fn locale(&mut self, locale: &str, at: &At<'_>) {
        if let Some(words) = locale::fault(locale, &locale::TOAST_AND_CARD) {
            self.faults.add(self.rules.severities.locale, at, Rule::Locale, words);
        }
    }

    fn one_of(
        &mut self,
        kinds: &'static [Kind],
        severity: Option<Severity>,
        value: &'c Value,
        at: &At<'_>,
        place: Place,
    ) {
        let mut told_by = None;
        if let Value::Object(fields) = value {
            for kind in kinds {
                let Kind::Shape(number) = kind else { continue };
                let Some((name, wanted)) = &self.rules.shapes[*number].is else { continue };
                match fields.get(name).filter(|value| !value.is_null()) {
                    Some(value) if value == wanted.as_str() => {
                        return self.object(*number, fields, at, place);
                    }
                    told => told_by = Some((name, told)),
                }
            }
        }
        let rest = |kind: &&Kind| match kind {
            Kind::Shape(number) => self.rules.shapes[*number].is.is_none() && value.is_object(),
            _ => is_about(kind, value),
        };
        if let Some(kind) = kinds.iter().find(rest) {
            return self.kind(kind, severity, value, at, place);
        }
        let Some((name, told)) = told_by else {
            return self.wrong_kind(kinds, severity, value, at);
        };
        let wanted = kinds.iter().filter_map(|kind| match kind {
            Kind::Shape(number) => self.rules.shapes[*number].is.as_ref(),
            _ => None,
        });
        let wanted: Vec<&str> = wanted.map(|(_, wanted)| wanted.as_str()).collect();
        let (rule, usual) = match told {
            Some(_) => (Rule::Value, self.rules.severities.value),
            None => (Rule::Required, self.rules.severities.required),
        };
        let words = format_args!("must be one of {}", wanted.join(", "));
        self.faults.add(severity.unwrap_or(usual), &at.key(name), rule, words);
    }

    fn wrong_kind(
        &mut self,
        kinds: &[Kind],
        severity: Option<Severity>,
        value: &Value,
        at: &At<'_>,
    ) {
        let is_scalar = |kind: &Kind| {
            matches!(kind, Kind::Text | Kind::Locale | Kind::Boolean | Kind::Integer | Kind::Number)
        };
        let severities = &self.rules.severities;
        let usual = if kinds.iter().any(is_scalar) && !value.is_object() && !value.is_array() {
            severities.wrong_scalar
        } else {
            severities.wrong_kind
        };
        let mut words: Vec<&str> = kinds.iter().map(words).collect();
        words.dedup();
        let words = format_args!("must be {}", words.join(" or "));
        self.faults.add(severity.unwrap_or(usual), at, Rule::Type, words);
    }
}

fn present(values: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    values.iter().filter(|(_, value)| !value.is_null())
}

/// Returns true if the value has the JSON type of the kind, so that what is wrong inside is worth saying.
fn is_about(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Text | Kind::Locale => value.is_string(),
        Kind::Boolean => value.is_boolean(),
        Kind::Integer | Kind::Number => value.is_number(),
        Kind::List(_) => value.is_array(),
        Kind::Object | Kind::Element | Kind::Shape(_) | Kind::Locales(_) | Kind::Map(_) => {
            value.is_object()
        }
        Kind::OneOf(kinds) => kinds.iter().any(|kind| is_about(kind, value)),
    }
}

/// Returns a kind as people read it.
fn words(kind: &Kind) -> &'static str {
    match kind {
        Kind::Any | Kind::OneOf(_) => "something else",
        Kind::Text | Kind::Locale => "text",
        Kind::Boolean => "true or false",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::List(_) => "a list",
        Kind::Locales(_) => "an object by locale",
        Kind::Object | Kind::Element | Kind::Shape(_) | Kind::Map(_) => "an object",
    }
}
