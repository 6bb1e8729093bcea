//! The elements of a card, from the root down: tags, properties, places, names and numbers.

use std::collections::HashSet;

use serde_json::Map;
use serde_json::Value;

use crate::CardVersion;
use crate::behavior;
use crate::component;
use crate::component::Component;
use crate::component::Role;
use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;
use crate::locale;

/// Elements and components of one 2.0 card, texts included (300305 where cards are entities).
const MAX_ELEMENTS: usize = 200;
/// Tables of one card (11310).
const MAX_TABLES: usize = 5;
/// Columns of one table.
const MAX_COLUMNS: usize = 50;
/// Levels of containers inside containers.
const MAX_NESTING: usize = 5;
/// Characters of an `element_id`.
const MAX_ID: usize = 20;

/// Surroundings of an element.
#[derive(Clone, Copy, Default)]
struct Place {
    containers: usize,
    in_form: bool,
}

/// A walk over the elements of one card.
pub(super) struct Tree<'c, 'f> {
    version: CardVersion,
    faults: &'f mut Faults,
    elements: usize,
    tables: usize,
    ids: HashSet<&'c str>,
    forms: HashSet<&'c str>,
    fields: HashSet<&'c str>,
}

impl<'c, 'f> Tree<'c, 'f> {
    pub(super) fn new(version: CardVersion, faults: &'f mut Faults) -> Self {
        Self {
            version,
            faults,
            elements: 0,
            tables: 0,
            ids: HashSet::new(),
            forms: HashSet::new(),
            fields: HashSet::new(),
        }
    }

    /// Checks the elements at the root. Recursion is bounded by the JSON parser's own depth limit of 128.
    pub(super) fn walk(&mut self, elements: &'c Value, at: &At<'_>) {
        self.list(elements, at, Place::default());
        if self.version == CardVersion::V2 && self.elements > MAX_ELEMENTS {
            let words = format_args!(
                "{} elements and components, texts included; a card has {MAX_ELEMENTS} at most",
                self.elements
            );
            self.faults.push(at, Rule::Elements, words);
        }
        if self.tables > MAX_TABLES {
            let words = format_args!("{} tables; a card has {MAX_TABLES} at most", self.tables);
            self.faults.push(at, Rule::Tables, words);
        }
    }

    /// Checks a part outside the elements that may have an id or texts: the header.
    pub(super) fn outside(&mut self, part: &'c Value, at: &At<'_>) {
        self.parts(part, at);
    }

    fn list(&mut self, elements: &'c Value, at: &At<'_>, place: Place) {
        let Some(elements) = elements.as_array() else {
            return self.faults.push(at, Rule::Type, "must be a list of elements");
        };
        for (index, element) in elements.iter().enumerate() {
            self.element(element, &at.index(index), place);
        }
    }

    fn element(&mut self, element: &'c Value, at: &At<'_>, place: Place) {
        let Some(fields) = element.as_object() else {
            return self.faults.push(at, Rule::Type, "an element must be an object");
        };
        let Some(tag) = fields.get("tag").and_then(Value::as_str) else {
            return self.faults.push(&at.key("tag"), Rule::Required, "every element has a tag");
        };
        self.elements += 1;
        self.id(fields, at);
        let found = component::find(tag);
        match (self.version, found) {
            (CardVersion::V2, Some(component)) => {
                self.properties(component, tag, fields, at);
                self.placed(component, tag, fields, at, place);
            }
            (CardVersion::V2, None) => self.unknown(tag, at),
            (CardVersion::V1, Some(component)) => self.placed(component, tag, fields, at, place),
            (CardVersion::V1, None) if component::is_module(tag) => {
                self.children(fields, at, place)
            }
            (CardVersion::V1, None) => {
                let words = format_args!("{tag:?} is no module of card JSON 1.0");
                self.faults.push(&at.key("tag"), Rule::UnknownTag, words);
            }
        }
    }

    fn unknown(&mut self, tag: &str, at: &At<'_>) {
        let at = at.key("tag");
        let (rule, words) = match tag {
            "note" => (
                Rule::Removed,
                "note does not exist in card JSON 2.0; a div or markdown with small text does its work",
            ),
            "action" => (
                Rule::Removed,
                "action does not exist in card JSON 2.0; its buttons stand by themselves, side by side in a column_set",
            ),
            "column" => (Rule::Place, "a column stands in the columns of a column_set only"),
            "plain_text" | "lark_md" => {
                (Rule::Place, "a text is no element; put it into a div, or use markdown")
            }
            _ => (Rule::UnknownTag, "no component of card JSON 2.0 has this tag"),
        };
        self.faults.push(&at, rule, words);
    }

    fn properties(
        &mut self,
        component: &Component,
        tag: &str,
        fields: &Map<String, Value>,
        at: &At<'_>,
    ) {
        for (key, value) in fields {
            let here = at.key(key);
            match (tag, key.as_str()) {
                (_, "fallback") => {
                    self.faults.push(&here, Rule::Removed, "fallback does not exist in card JSON 2.0");
                }
                ("markdown", "href") => self.faults.push(
                    &here,
                    Rule::Removed,
                    "href does not exist in card JSON 2.0; write the link into the markdown",
                ),
                ("img", "size") if value == "stretch_without_padding" => self.faults.push(
                    &here,
                    Rule::Removed,
                    "stretch_without_padding does not exist in card JSON 2.0; a negative margin does its work",
                ),
                (_, "behaviors") if component.allows(key) => behavior::check(value, &here, self.faults),
                _ if component.allows(key) => {}
                _ => {
                    let words = format_args!(
                        "not a property of {tag} in card JSON 2.0, which refuses unknown ones"
                    );
                    self.faults.push(&here, Rule::UnknownProperty, words);
                }
            }
        }
    }

    /// Applies the rules about the place of an element, and checks the elements inside it.
    fn placed(
        &mut self,
        component: &Component,
        tag: &str,
        fields: &'c Map<String, Value>,
        at: &At<'_>,
        place: Place,
    ) {
        let mut inside = place;
        match component.role {
            Role::Display => {}
            Role::Interactive if place.in_form => self.field_name(tag, fields, at),
            Role::Interactive => {}
            Role::Container => inside.containers += 1,
            Role::Form => {
                inside = Place { containers: place.containers + 1, in_form: true };
                self.form(fields, at, place);
            }
            Role::Table => {
                self.table(fields, at, place);
            }
        }
        if inside.containers > MAX_NESTING && self.version == CardVersion::V2 {
            let words = format_args!(
                "level {} of containers inside containers; {MAX_NESTING} are allowed",
                inside.containers
            );
            return self.faults.push(at, Rule::Nesting, words);
        }
        self.children(fields, at, inside);
    }

    fn form(&mut self, fields: &'c Map<String, Value>, at: &At<'_>, place: Place) {
        if place.containers > 0 && self.version == CardVersion::V2 {
            self.faults.push(
                at,
                Rule::Place,
                "a form stands at the root of the body only, in no other container",
            );
        }
        self.fields.clear();
        match name(fields) {
            None => self.faults.push(
                &at.key("name"),
                Rule::Name,
                "a form needs a name that is not empty (200530 for the user)",
            ),
            Some(name) if self.forms.insert(name) => {}
            Some(name) => {
                let words = format_args!("another form is called {name:?} already");
                self.faults.push(&at.key("name"), Rule::DuplicateName, words);
            }
        }
    }

    fn field_name(&mut self, tag: &str, fields: &'c Map<String, Value>, at: &At<'_>) {
        match name(fields) {
            None => {
                let words = format_args!(
                    "a {tag} in a form needs a name that is not empty (200530 for the user)"
                );
                self.faults.push(&at.key("name"), Rule::Name, words);
            }
            Some(name) if self.fields.insert(name) => {}
            Some(name) => {
                let words =
                    format_args!("another component of this form is called {name:?} already");
                self.faults.push(&at.key("name"), Rule::DuplicateName, words);
            }
        }
    }

    fn table(&mut self, fields: &Map<String, Value>, at: &At<'_>, place: Place) {
        self.tables += 1;
        if place.containers > 0 && self.version == CardVersion::V2 {
            self.faults.push(
                at,
                Rule::Place,
                "a table stands at the root of the body only, in no container",
            );
        }
        let columns = fields.get("columns").and_then(Value::as_array).map_or(0, Vec::len);
        if columns > MAX_COLUMNS {
            let words = format_args!("{columns} columns; a table has {MAX_COLUMNS} at most");
            self.faults.push(&at.key("columns"), Rule::Tables, words);
        }
    }

    fn children(&mut self, fields: &'c Map<String, Value>, at: &At<'_>, place: Place) {
        let is_table = fields.get("tag").is_some_and(|tag| tag == "table");
        for (key, value) in fields {
            let here = at.key(key);
            match key.as_str() {
                // These hold the author's own data, which is not part of the card's structure.
                "value" | "rows" | "chart_spec" | "behaviors" => {}
                "columns" if is_table => {}
                "columns" => self.columns(value, &here, place),
                "elements" | "actions" => self.list(value, &here, place),
                "extra" => self.element(value, &here, place),
                _ => self.parts(value, &here),
            }
        }
    }

    fn columns(&mut self, columns: &'c Value, at: &At<'_>, place: Place) {
        let Some(columns) = columns.as_array() else {
            return self.faults.push(at, Rule::Type, "must be a list of columns");
        };
        for (index, column) in columns.iter().enumerate() {
            let here = at.index(index);
            let Some(fields) = column.as_object() else {
                self.faults.push(&here, Rule::Type, "a column must be an object");
                continue;
            };
            if fields.get("tag").is_none_or(|tag| tag != "column") {
                self.faults.push(&here.key("tag"), Rule::Value, "must be column");
            }
            self.id(fields, &here);
            if self.version == CardVersion::V2 {
                self.properties(&component::COLUMN, "column", fields, &here);
            }
            self.children(fields, &here, place);
        }
    }

    /// Checks texts, icons and the other parts that components are made of.
    fn parts(&mut self, part: &'c Value, at: &At<'_>) {
        match part {
            Value::Array(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    self.parts(part, &at.index(index));
                }
            }
            Value::Object(fields) => {
                match fields.get("tag").and_then(Value::as_str) {
                    // An icon belongs to its text.
                    None | Some("standard_icon" | "custom_icon") => {}
                    Some(_) => self.elements += 1,
                }
                self.id(fields, at);
                for (key, value) in fields {
                    let here = at.key(key);
                    match key.as_str() {
                        "value" => {}
                        "i18n_content" if self.version == CardVersion::V2 => {
                            locale::check_texts(value, &locale::TOAST_AND_CARD, &here, self.faults);
                        }
                        _ if value.is_object() || value.is_array() => self.parts(value, &here),
                        _ => {}
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn id(&mut self, fields: &'c Map<String, Value>, at: &At<'_>) {
        // Card JSON 1.0 has no ids, and ignores properties that it does not know.
        if self.version == CardVersion::V1 {
            return;
        }
        let Some(id) = fields.get("element_id") else { return };
        let here = at.key("element_id");
        match id.as_str() {
            Some(id) if !is_id(id) => self.faults.push(
                &here,
                Rule::ElementId,
                format_args!(
                    "{id:?}: a letter, then letters, digits and underscores, {MAX_ID} in all at most"
                ),
            ),
            Some(id) if self.ids.insert(id) => {}
            Some(id) => {
                let words = format_args!("{id:?} is another element's id already (300301)");
                self.faults.push(&here, Rule::DuplicateId, words);
            }
            None => self.faults.push(&here, Rule::Type, "must be text"),
        }
    }
}

fn name(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())
}

fn is_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && id.len() <= MAX_ID
}
