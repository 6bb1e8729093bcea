//! Walks over a card with the rules of its version: every object is held to its shape.

mod limit;
mod value;
mod whole;

use std::collections::HashSet;

use serde_json::Map;
use serde_json::Value;

use crate::fault::At;
use crate::fault::Faults;
use crate::fault::Rule;
use crate::fault::Severity;
use crate::rules::Limit;
use crate::rules::Nature;
use crate::rules::Presence;
use crate::rules::Property;
use crate::rules::ROOT;
use crate::rules::Rules;
use crate::rules::Shape;
use crate::rules::StrangerRule;
use crate::walk::limit::Used;
use crate::walk::whole::Counted;

/// Surroundings of an object.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Containers around it.
    containers: usize,
    /// Bits of the components around it, by their place among the shapes.
    around: u64,
    /// The bit of the one right around it.
    parent: u64,
    /// Number of the form around it.
    form: Option<usize>,
    /// Number of the list that it is an item of.
    list: usize,
}

/// A walk over one card.
pub(crate) struct Walk<'c, 'f> {
    rules: &'static Rules,
    faults: &'f mut Faults,
    /// The card comes from the card builder, where `${name}` stands for a value of any kind.
    has_variables: bool,
    counted: Counted,
    /// Values that may be used once.
    used: HashSet<Used<'c>>,
    forms: usize,
    lists: usize,
    /// The form around has a button that submits it.
    submits: bool,
}

impl<'c, 'f> Walk<'c, 'f> {
    pub(crate) fn new(rules: &'static Rules, has_variables: bool, faults: &'f mut Faults) -> Self {
        Self {
            rules,
            faults,
            has_variables,
            counted: Counted::default(),
            used: HashSet::new(),
            forms: 0,
            lists: 0,
            submits: false,
        }
    }

    /// Checks the whole card. Recursion is bounded by the JSON parser's own depth limit of 128.
    pub(crate) fn card(mut self, card: &'c Map<String, Value>, at: &At<'_>) {
        self.object(self.rules.card, card, at, Place::default());
        self.finish(card, at);
    }

    /// Checks an element: its tag says which component it is.
    fn element(&mut self, fields: &'c Map<String, Value>, at: &At<'_>, place: Place) {
        let tag_at = at.key("tag");
        let severity = self.rules.severities.unknown_tag;
        match fields.get("tag").unwrap_or(&Value::Null) {
            Value::String(tag) => match self.rules.component(tag) {
                Some(component) => self.object(component, fields, at, place),
                None => self.stranger(tag, &tag_at),
            },
            Value::Null => {
                self.faults.add(severity, &tag_at, Rule::Required, "every element has a tag");
            }
            _ => self.faults.add(severity, &tag_at, Rule::Type, "must be text"),
        }
    }

    fn stranger(&mut self, tag: &str, at: &At<'_>) {
        let rules = self.rules;
        // The builder's own elements are no fault in what the builder has written.
        if self.has_variables && tag == "repeat" {
            return;
        }
        match rules.strangers.iter().find(|stranger| stranger.tag == tag) {
            Some(stranger) => {
                let rule = match stranger.rule {
                    StrangerRule::Removed => Rule::Removed,
                    StrangerRule::Place => Rule::Place,
                    StrangerRule::Unknown => Rule::UnknownTag,
                };
                self.faults.add(stranger.severity, at, rule, &stranger.words);
            }
            None => {
                let words =
                    format_args!("no component of card JSON {} has this tag", rules.version);
                self.faults.add(rules.severities.unknown_tag, at, Rule::UnknownTag, words);
            }
        }
    }

    /// Checks an object with rules of its own.
    fn object(&mut self, number: usize, fields: &'c Map<String, Value>, at: &At<'_>, place: Place) {
        let rules = self.rules;
        let shape = &rules.shapes[number];
        let outer = self.submits;
        let Some(inside) = self.enter(number, shape, at, place) else { return };
        let mut seen = 0_u64;
        let mut is_told = shape.is.is_none();
        // In any version and at any place, null is as good as absent.
        for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let here = at.key(key);
            if let Some((name, wanted)) = &shape.is
                && name == key
            {
                is_told = true;
                if value != wanted.as_str() {
                    let words = format_args!("must be {wanted}");
                    self.faults.add(rules.severities.value, &here, Rule::Value, words);
                }
                continue;
            }
            match shape.find(key) {
                Some(place_of_it) => {
                    let property = &shape.properties[place_of_it];
                    if !is_blank(property, value) {
                        seen |= 1 << place_of_it;
                        self.property(number, property, (fields, value), &here, inside);
                    }
                }
                None => self.unknown(shape, &here),
            }
        }
        if let (false, Some((name, wanted))) = (is_told, &shape.is) {
            let words = format_args!("must be {wanted}");
            self.faults.add(rules.severities.required, &at.key(name), Rule::Required, words);
        }
        self.missing(shape, seen, at, place);
        self.leave(shape, fields, outer, at, place);
    }

    /// Counts an object and checks where it stands. Returns the surroundings of what is inside, or `None` where nothing inside
    /// is looked at.
    fn enter(&mut self, number: usize, shape: &Shape, at: &At<'_>, place: Place) -> Option<Place> {
        let mut inside = place;
        match shape.nature {
            Nature::Part => return Some(inside),
            Nature::Counted => {
                self.counted.elements += 1;
                return Some(inside);
            }
            Nature::Display | Nature::Interactive => {}
            Nature::Container => inside.containers += 1,
            Nature::Form => {
                inside.containers += 1;
                self.forms += 1;
                inside.form = Some(self.forms);
                self.submits = false;
            }
        }
        self.count(&shape.name);
        let root = if place.containers == 0 { ROOT } else { 0 };
        for places in &shape.places {
            let around = if places.directly { place.parent } else { place.around };
            if (places.around & (around | root) != 0) == places.wanted {
                continue;
            }
            let (name, there) = (with_article(&shape.name), &places.words);
            let words = match (places.wanted, places.around) {
                (true, ROOT) => {
                    format!("{name} stands at the root only, in no other component")
                }
                (true, _) => format!("{name} stands in these only: {there}"),
                (false, _) => format!("{name} stands in none of these: {there}"),
            };
            self.faults.add(places.severity, at, Rule::Place, words);
        }
        inside.parent = 1 << number;
        inside.around |= inside.parent;
        self.is_not_too_deep(inside.containers, at).then_some(inside)
    }

    fn property(
        &mut self,
        shape: usize,
        property: &'static Property,
        (fields, value): (&'c Map<String, Value>, &'c Value),
        at: &At<'_>,
        place: Place,
    ) {
        if let Presence::Removed(severity, words) = &property.presence {
            return self.faults.add(*severity, at, Rule::Removed, words);
        }
        if self.has_variables && value.as_str().is_some_and(is_variable) {
            return;
        }
        self.value(property, value, at, place);
        for limited in &property.limits {
            if !self.limit(shape, property, limited, (fields, value), at, place) {
                break;
            }
        }
    }

    fn unknown(&mut self, shape: &Shape, at: &At<'_>) {
        let (name, version) = (&shape.name, &self.rules.version);
        let Some(severity) = shape.unknown else { return };
        let words = match severity {
            Severity::Certain => format!(
                "not a property of {name} in card JSON {version}, which refuses unknown ones"
            ),
            Severity::Likely => {
                format!("not a documented property of {name} in card JSON {version}")
            }
        };
        self.faults.add(severity, at, Rule::UnknownProperty, words);
    }

    /// Reports what has to be there and is not.
    fn missing(&mut self, shape: &Shape, seen: u64, at: &At<'_>, place: Place) {
        let mut missing = shape.missing(seen, place.form.is_some());
        while missing != 0 {
            let property = &shape.properties[missing.trailing_zeros() as usize];
            missing &= missing - 1;
            let (Presence::Required(severity) | Presence::InForm(severity)) = property.presence
            else {
                continue;
            };
            let here = at.key(&property.name);
            let in_form = matches!(property.presence, Presence::InForm(_));
            if property.name == "name" && (in_form || shape.nature == Nature::Form) {
                let name = with_article(&shape.name);
                let there = if in_form { " in a form" } else { "" };
                let words = format_args!(
                    "{name}{there} needs a name that is not empty (200530 for the user)"
                );
                self.faults.add(severity, &here, Rule::Name, words);
            } else {
                let words = format!("is missing; {} needs it", shape.name);
                self.faults.add(severity, &here, Rule::Required, words);
            }
        }
        for set in &shape.sets {
            let (name, names) = (&shape.name, &set.words);
            match (set.at_least, (set.properties & seen).count_ones()) {
                (true, 0) => {
                    let words = format_args!("{name} needs one of these: {names}");
                    self.faults.add(set.severity, at, Rule::Required, words);
                }
                (false, 2..) => {
                    let words = format_args!("{name} has only one of these: {names}");
                    self.faults.add(set.severity, at, Rule::Value, words);
                }
                _ => {}
            }
        }
    }
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// Returns true for an empty text where a text is required that is not empty.
fn is_blank(property: &Property, value: &Value) -> bool {
    matches!(property.presence, Presence::Required(_) | Presence::InForm(_))
        && value == ""
        && property
            .limits
            .iter()
            .any(|limited| matches!(limited.limit, Limit::Chars { min: 1.., .. }))
}

/// Returns true for a text that stands for a value of the card builder, as a whole.
fn is_variable(text: &str) -> bool {
    text.strip_prefix("${").is_some_and(|rest| rest.ends_with('}'))
}
