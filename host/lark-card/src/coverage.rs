//! The components and their rules as a table for people.

use std::fmt::Write as _;

use crate::CardVersion;
use crate::fault::Severity;
use crate::rules;
use crate::rules::Presence;
use crate::rules::Rules;
use crate::rules::Shape;

/// Returns Markdown: for each version a table of its components with the objects inside them, and the totals.
///
/// *Documented* is the number of properties that the component's page lists, `tag` included; *known* is the number of those
/// that the rules have, with those of other pages and of cards in use. *Certain* and *likely* count the rules about them.
pub fn coverage() -> String {
    let mut text = String::new();
    for version in [CardVersion::V1, CardVersion::V2] {
        let rules = rules::of(version);
        // Writing to a string cannot fail.
        let _ = write_version(&mut text, rules);
    }
    text
}

fn write_version(text: &mut String, rules: &Rules) -> std::fmt::Result {
    let gap = if text.is_empty() { "" } else { "\n" };
    writeln!(text, "{gap}## Card JSON {}\n", rules.version)?;
    writeln!(text, "| component | kind | documented | known | certain | likely | page |")?;
    writeln!(text, "|---|---|---|---|---|---|---|")?;
    let mut total = Counts::default();
    let (components, parts) = rules.shapes.split_at(rules.components);
    for shape in components {
        let counts = Counts::of(shape);
        write_row(text, shape, shape.nature.as_str(), counts)?;
        total.add(counts);
    }
    for shape in parts {
        let counts = Counts::of(shape);
        write_row(text, shape, "part", counts)?;
        total.add(counts);
    }
    let Counts { documented, known, certain, likely } = total;
    let (components, parts) = (components.len(), parts.len());
    let whole = rules.whole.len();
    writeln!(
        text,
        "\n{components} components with {parts} parts: {documented} documented properties, {known} known; \
         {certain} certain and {likely} likely rules about them, and {whole} about the whole card:\n"
    )?;
    writeln!(text, "| rule | severity | source |")?;
    writeln!(text, "|---|---|---|")?;
    for rule in &rules.whole {
        let about = rule.note.about.as_deref().unwrap_or_default();
        let source = rule.note.source.as_deref().unwrap_or_default();
        writeln!(text, "| {about} | {} | {source} |", rule.severity.as_str())?;
    }
    Ok(())
}

fn write_row(text: &mut String, shape: &Shape, kind: &str, counts: Counts) -> std::fmt::Result {
    let Counts { documented, known, certain, likely } = counts;
    let source = shape.note.source.as_deref().unwrap_or_default();
    let name = &shape.name;
    writeln!(
        text,
        "| `{name}` | {kind} | {documented} | {known} | {certain} | {likely} | {source} |"
    )
}

#[derive(Clone, Copy, Default)]
struct Counts {
    documented: usize,
    known: usize,
    certain: usize,
    likely: usize,
}

impl Counts {
    fn of(shape: &Shape) -> Self {
        let told = shape.is.as_ref().filter(|(name, _)| shape.find(name).is_none());
        let known = shape.properties.len() + usize::from(told.is_some());
        let mut counts =
            Self { documented: shape.documented.unwrap_or(0), known, certain: 0, likely: 0 };
        let places = shape.places.iter().map(|places| places.severity);
        let sets = shape.sets.iter().map(|set| set.severity);
        places.chain(sets).for_each(|severity| counts.rule(severity));
        for property in &shape.properties {
            match property.presence {
                Presence::Required(severity)
                | Presence::InForm(severity)
                | Presence::Removed(severity, _) => counts.rule(severity),
                Presence::Optional => {}
            }
            property.limits.iter().for_each(|limited| counts.rule(limited.severity));
        }
        counts
    }

    fn rule(&mut self, severity: Severity) {
        match severity {
            Severity::Certain => self.certain += 1,
            Severity::Likely => self.likely += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.documented += other.documented;
        self.known += other.known;
        self.certain += other.certain;
        self.likely += other.likely;
    }
}
