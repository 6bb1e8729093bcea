//! The rules as JSON Schema, so that editors complete and check cards.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::CardVersion;
use crate::locale;
use crate::rules;
use crate::rules::Kind;
use crate::rules::Limit;
use crate::rules::Limited;
use crate::rules::Presence;
use crate::rules::Property;
use crate::rules::Rules;
use crate::rules::Shape;

/// Returns the rules of both versions as one JSON Schema (draft 2020-12).
///
/// A schema has no severities, so that this one holds a card to certain and likely rules alike; and it cannot say what a rule
/// says about several places, such as a name that is used once, or about a component's surroundings.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    for version in [CardVersion::V1, CardVersion::V2] {
        let rules = rules::of(version);
        let writer = Writer { rules };
        definitions.insert(writer.name("element"), writer.element());
        for shape in &rules.shapes {
            definitions.insert(writer.name(&shape.name), writer.shape(shape));
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Feishu/Lark card, card JSON 1.0 or 2.0",
        "type": "object",
        "if": { "properties": { "schema": { "const": "2.0" } }, "required": ["schema"] },
        "then": { "$ref": "#/$defs/2.0.card" },
        "else": { "$ref": "#/$defs/1.0.card" },
        "$defs": definitions,
    })
}

struct Writer {
    rules: &'static Rules,
}

impl Writer {
    /// Returns the name of a definition: both versions have a `button`.
    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.rules.version)
    }

    fn reference(&self, name: &str) -> Value {
        json!({ "$ref": format!("#/$defs/{}", self.name(name)) })
    }

    /// Returns the schema of any component. An editor takes the one that the tag names.
    fn element(&self) -> Value {
        let components = &self.rules.shapes[..self.rules.components];
        let tags: Vec<&str> = components.iter().map(|component| component.name.as_str()).collect();
        let each = tags.iter().map(|tag| {
            json!({
                "if": { "properties": { "tag": { "const": tag } } },
                "then": self.reference(tag),
            })
        });
        json!({
            "type": "object",
            "properties": { "tag": { "enum": tags } },
            "required": ["tag"],
            "allOf": each.collect::<Vec<_>>(),
        })
    }

    fn shape(&self, shape: &Shape) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        if let Some((name, value)) = &shape.is {
            properties.insert(name.clone(), json!({ "const": value }));
            required.push(name.as_str());
        }
        for property in &shape.properties {
            if !properties.contains_key(&property.name) {
                properties.insert(property.name.clone(), self.property(property));
            }
            if matches!(property.presence, Presence::Required(_)) {
                required.push(&property.name);
            }
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        let mut put = |key: &str, value: Value| schema[key] = value;
        if let Some(words) = description(shape.note.about.as_deref(), shape.note.source.as_deref())
        {
            put("description", words);
        }
        if !required.is_empty() {
            put("required", json!(required));
        }
        if shape.unknown.is_some() {
            put("additionalProperties", json!(false));
        }
        let sets = sets(shape);
        if !sets.is_empty() {
            put("allOf", json!(sets));
        }
        schema
    }

    fn property(&self, property: &Property) -> Value {
        if let Presence::Removed(_, words) = &property.presence {
            return json!({ "not": {}, "description": words });
        }
        let mut schema = self.kind(&property.kind);
        let mut about: Vec<String> = property.note.about.iter().cloned().collect();
        for Limited { limit, .. } in &property.limits {
            limit_to(limit, &property.kind, &mut schema, &mut about);
        }
        if let Presence::InForm(_) = property.presence {
            about.push("required in a form".to_owned());
        }
        about.extend(property.note.since.as_ref().map(|since| format!("client {since}")));
        let about = (!about.is_empty()).then(|| about.join("; "));
        if let Some(words) = description(about.as_deref(), property.note.source.as_deref()) {
            schema["description"] = words;
        }
        schema
    }

    fn kind(&self, kind: &Kind) -> Value {
        match kind {
            Kind::Any => json!({}),
            Kind::Text => json!({ "type": "string" }),
            Kind::Locale => json!({ "enum": locale::TOAST_AND_CARD }),
            Kind::Boolean => json!({ "type": "boolean" }),
            Kind::Integer => json!({ "type": "integer" }),
            Kind::Number => json!({ "type": "number" }),
            Kind::Object => json!({ "type": "object" }),
            Kind::Element => self.reference("element"),
            Kind::Shape(shape) => self.reference(&self.rules.shapes[*shape].name),
            Kind::List(inner) => json!({ "type": "array", "items": self.kind(inner) }),
            Kind::Locales(inner) => {
                let inner = self.kind(inner);
                let locales = locale::TOAST_AND_CARD;
                let locales: Map<String, Value> =
                    locales.iter().map(|locale| ((*locale).to_owned(), inner.clone())).collect();
                json!({ "type": "object", "properties": locales, "additionalProperties": false })
            }
            Kind::Map(inner) => {
                json!({ "type": "object", "additionalProperties": self.kind(inner) })
            }
            Kind::OneOf(kinds) => {
                json!({ "anyOf": kinds.iter().map(|kind| self.kind(kind)).collect::<Vec<_>>() })
            }
        }
    }
}

/// Adds a limit to the schema, or to the description where a schema has no words for it.
fn limit_to(limit: &Limit, kind: &Kind, schema: &mut Value, about: &mut Vec<String>) {
    let mut put = |key: &str, value: Value| schema[key] = value;
    match limit {
        Limit::Values(values) => put("enum", json!(values)),
        Limit::Removed(values) => put("not", json!({ "enum": values })),
        Limit::Number { min, max } => {
            if let Some(min) = min {
                put("minimum", json!(min));
            }
            if let Some(max) = max {
                put("maximum", json!(max));
            }
        }
        Limit::Chars { min, max } if *kind == Kind::Text => {
            put("minLength", json!(min));
            if *max != usize::MAX {
                put("maxLength", json!(max));
            }
        }
        Limit::Chars { max, .. } => about.push(format!("{max} characters at most")),
        Limit::Items { min, max } => {
            put("minItems", json!(min));
            if *max != usize::MAX {
                put("maxItems", json!(max));
            }
        }
        Limit::Format(format) => about.push(format.words().to_owned()),
        Limit::Tables(max) => about.push(format!("{max} tables at most")),
        Limit::Unique(_) => about.push("used once".to_owned()),
        Limit::Among { list, .. } => about.push(format!("one of the {list}")),
        Limit::InForm => about.push("in a form only".to_owned()),
        Limit::TrueInForm => about.push("true in a form only".to_owned()),
    }
}

/// Returns schemas for the sets of properties of which one is wanted, at least or at most.
fn sets(shape: &Shape) -> Vec<Value> {
    let names = |bits: u64| {
        let properties = shape.properties.iter().enumerate();
        properties.filter(move |(place, _)| bits & (1 << place) != 0).map(|(_, it)| &it.name)
    };
    let sets = shape.sets.iter().map(|set| match set.at_least {
        true => {
            let each = names(set.properties).map(|name| json!({ "required": [name] }));
            json!({ "anyOf": each.collect::<Vec<_>>() })
        }
        false => json!({ "not": { "required": names(set.properties).collect::<Vec<_>>() } }),
    });
    sets.collect()
}

fn description(about: Option<&str>, source: Option<&str>) -> Option<Value> {
    match (about, source) {
        (None, None) => None,
        (Some(about), None) => Some(json!(about)),
        (None, Some(source)) => Some(json!(format!("[{source}]"))),
        (Some(about), Some(source)) => Some(json!(format!("{about} [{source}]"))),
    }
}
