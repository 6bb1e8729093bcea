//! The rules about a card as a whole, and about forms: numbers of elements, submit buttons, forwarding.

use serde_json::Map;
use serde_json::Value;

use crate::fault::At;
use crate::fault::Rule;
use crate::rules::Nature;
use crate::rules::Shape;
use crate::rules::Whole;
use crate::walk::Place;
use crate::walk::Walk;

/// What a card has been found to have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) elements: usize,
    tables: usize,
    pub(super) tables_in_markdown: usize,
    charts: usize,
    audios: usize,
}

impl Counted {
    /// Returns the larger of each number: of several translations a user sees one.
    pub(super) fn most(self, other: Self) -> Self {
        Self {
            elements: self.elements.max(other.elements),
            tables: self.tables.max(other.tables),
            tables_in_markdown: self.tables_in_markdown.max(other.tables_in_markdown),
            charts: self.charts.max(other.charts),
            audios: self.audios.max(other.audios),
        }
    }
}

impl<'c> Walk<'c, '_> {
    /// Counts a component.
    pub(super) fn count(&mut self, tag: &str) {
        self.counted.elements += 1;
        match tag {
            "table" => self.counted.tables += 1,
            "chart" => self.counted.charts += 1,
            "audio" => self.counted.audios += 1,
            _ => {}
        }
    }

    /// Returns false for a container inside too many others.
    pub(super) fn is_not_too_deep(&mut self, containers: usize, at: &At<'_>) -> bool {
        let Some(rule) = self.rules.whole(Whole::Nesting) else { return true };
        let Some(max) = rule.max.filter(|max| containers > *max) else { return true };
        let words =
            format_args!("level {containers} of containers inside containers; {max} are allowed");
        self.faults.add(rule.severity, at, Rule::Nesting, words);
        false
    }

    /// Notices a button that submits its form, and at the end of a form whether there was one. `outer` is what was known
    /// before the form.
    pub(super) fn leave(
        &mut self,
        shape: &Shape,
        fields: &'c Map<String, Value>,
        outer: bool,
        at: &At<'_>,
        place: Place,
    ) {
        match shape.nature {
            Nature::Interactive if place.form.is_some() => self.submits |= submits(fields),
            Nature::Form => {
                if let Some(rule) = self.rules.whole(Whole::FormSubmit)
                    && !self.submits
                {
                    let words = "a form needs a button that submits it";
                    self.faults.add(rule.severity, &at.key("elements"), Rule::Submit, words);
                }
                self.submits = outer;
            }
            _ => {}
        }
    }

    /// Checks what is known after the last element.
    pub(super) fn finish(&mut self, card: &Map<String, Value>, at: &At<'_>) {
        let Counted { elements, tables, tables_in_markdown, charts, .. } = self.counted;
        let body = at.key("body");
        let here = match card.contains_key("body") {
            true => body.key("elements"),
            false if card.contains_key("elements") => at.key("elements"),
            false => *at,
        };
        let all = "elements and components, texts included";
        self.at_most(Whole::Elements, Rule::Elements, elements, all, &here);
        // Too many table components are too many tables of all kinds, too.
        if self.at_most(Whole::Tables, Rule::Tables, tables, "tables", &here) {
            let all = "tables, those in markdown included";
            self.at_most(Whole::AllTables, Rule::Tables, tables + tables_in_markdown, all, &here);
        }
        self.at_most(Whole::Charts, Rule::Limit, charts, "charts", &here);
        self.forwarding(card, at);
    }

    fn at_most(&mut self, name: Whole, rule: Rule, number: usize, what: &str, at: &At<'_>) -> bool {
        let Some(limit) = self.rules.whole(name) else { return true };
        let Some(max) = limit.max.filter(|max| number > *max) else { return true };
        let words = format_args!("{number} {what}; a card has {max} at most");
        self.faults.add(limit.severity, at, rule, words);
        false
    }

    fn forwarding(&mut self, card: &Map<String, Value>, at: &At<'_>) {
        let Some(rule) = self.rules.whole(Whole::AudioForward) else { return };
        let config = card.get("config").filter(|config| config.is_object());
        let is_off =
            config.and_then(|config| config.get("enable_forward")) == Some(&Value::Bool(false));
        if self.counted.audios == 0 || is_off {
            return;
        }
        let words = "a card with an audio cannot be forwarded: enable_forward must be false";
        let config_at = at.key("config");
        let here = if config.is_some() { config_at.key("enable_forward") } else { config_at };
        self.faults.add(rule.severity, &here, Rule::Forward, words);
    }
}

/// Returns true for a button that submits its form, in any of the documented ways.
fn submits(fields: &Map<String, Value>) -> bool {
    let is = |key: &str, wanted: &str| fields.get(key).is_some_and(|value| value == wanted);
    let mut behaviors = fields.get("behaviors").and_then(Value::as_array).into_iter().flatten();
    is("form_action_type", "submit")
        || is("action_type", "form_submit")
        || behaviors.any(|behavior| behavior.get("behavior").is_some_and(|does| does == "submit"))
}
