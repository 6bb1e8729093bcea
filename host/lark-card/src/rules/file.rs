//! Reads a file of rules. Errors name the place in the file.

use std::collections::BTreeMap;

use serde_json::json;
use toml::Table;
use toml::Value;

use crate::rules::Index;
use crate::rules::Nature;
use crate::rules::Note;
use crate::rules::Places;
use crate::rules::Property;
use crate::rules::ROOT;
use crate::rules::Rules;
use crate::rules::Set;
use crate::rules::Severities;
use crate::rules::Shape;
use crate::rules::Stranger;
use crate::rules::StrangerRule;
use crate::rules::Whole;
use crate::rules::WholeRule;
use crate::rules::kind::Names;
use crate::rules::property;
use crate::rules::table::Reader;

/// Most properties of one object, because a set of them is a `u64`; one less components, because the root is a place too.
const MOST: usize = 64;

/// Names and tables of a section of the file.
type Tables<'a> = Vec<(&'a str, Reader<'a>)>;

pub(super) fn read(text: &str) -> Result<Rules, String> {
    let table: Table = text.parse().map_err(|error| format!("{error}"))?;
    let mut file = Reader::new(&table, "rules".to_owned());
    let version = file.text("version")?.ok_or("`version` is missing")?;
    let severities = severities(file.table("severity")?.ok_or("`severity` is missing")?)?;
    let (components, shapes) = (file.tables("component")?, file.tables("shape")?);
    let number = components.len();
    if number >= MOST {
        return Err(format!("{number} components; {} at most", MOST - 1));
    }
    let context = Context {
        names: names(&components, &shapes, &mut file)?,
        groups: file.tables("group")?.into_iter().map(group).collect::<Result<_, _>>()?,
        severities: &severities,
    };
    let mut all = Vec::new();
    for (name, reader) in components {
        all.push(context.shape(name, reader, true)?);
    }
    for (name, reader) in shapes {
        all.push(context.shape(name, reader, false)?);
    }
    let mut by_tag: Vec<usize> = (0..number).collect();
    by_tag.sort_by(|one, other| all[*one].name.cmp(&all[*other].name));
    let card = *context.names.shapes.get("card").ok_or("there is no [shape.card]")?;
    let strangers = file.tables("no_component")?.into_iter().map(stranger);
    let strangers = strangers.collect::<Result<_, _>>()?;
    let whole = file.tables("rule")?.into_iter().map(whole).collect::<Result<_, _>>()?;
    file.finish()?;
    Ok(Rules {
        version,
        severities,
        shapes: all,
        components: number,
        by_tag,
        card,
        strangers,
        whole,
    })
}

fn severities(mut reader: Reader<'_>) -> Result<Severities, String> {
    let unknown_property = reader.severity_or_none("unknown_property")?;
    let unknown_property =
        unknown_property.ok_or_else(|| reader.wrong("`unknown_property` is missing"))?;
    let mut of =
        |key| reader.severity(key)?.ok_or_else(|| reader.wrong(format_args!("`{key}` is missing")));
    let severities = Severities {
        unknown_property,
        unknown_tag: of("unknown_tag")?,
        wrong_kind: of("wrong_kind")?,
        wrong_scalar: of("wrong_scalar")?,
        value: of("value")?,
        limit: of("limit")?,
        required: of("required")?,
        place: of("place")?,
        locale: of("locale")?,
    };
    reader.finish()?;
    Ok(severities)
}

fn names(
    components: &Tables<'_>,
    shapes: &Tables<'_>,
    file: &mut Reader<'_>,
) -> Result<Names, String> {
    let mut names = Names::default();
    for (place, (name, reader)) in components.iter().chain(shapes).enumerate() {
        if names.shapes.insert((*name).to_owned(), place).is_some() {
            return Err(reader.wrong("a component and a shape cannot have the same name"));
        }
    }
    if let Some(Value::Table(aliases)) = file.get("alias") {
        for (name, words) in aliases {
            let words = words.as_str().ok_or_else(|| format!("alias.{name}: must be text"))?;
            names.aliases.insert(name.clone(), words.to_owned());
        }
    }
    Ok(names)
}

fn group<'a>(
    (name, mut reader): (&'a str, Reader<'a>),
) -> Result<(&'a str, Option<Reader<'a>>), String> {
    let properties = reader.table("property")?;
    reader.finish()?;
    Ok((name, properties))
}

fn stranger((tag, mut reader): (&str, Reader<'_>)) -> Result<Stranger, String> {
    let rule = match reader.text("rule")?.as_deref() {
        Some("removed") => StrangerRule::Removed,
        Some("place") => StrangerRule::Place,
        Some("unknown-tag") => StrangerRule::Unknown,
        _ => return Err(reader.wrong("`rule` must be removed, place or unknown-tag")),
    };
    let severity = reader.severity("severity")?;
    let words = reader.text("words")?;
    note(&mut reader)?;
    let severity = severity.ok_or_else(|| reader.wrong("`severity` is missing"))?;
    let words = words.ok_or_else(|| reader.wrong("`words` is missing"))?;
    reader.finish()?;
    Ok(Stranger { tag: tag.to_owned(), rule, severity, words })
}

fn whole((name, mut reader): (&str, Reader<'_>)) -> Result<WholeRule, String> {
    let name = match name {
        "size" => Whole::Size,
        "elements" => Whole::Elements,
        "tables" => Whole::Tables,
        "all_tables" => Whole::AllTables,
        "charts" => Whole::Charts,
        "nesting" => Whole::Nesting,
        "form_submit" => Whole::FormSubmit,
        "audio_forward" => Whole::AudioForward,
        _ => return Err(reader.wrong("no rule has this name")),
    };
    let max = reader.count("max")?;
    let severity = reader.severity("severity")?;
    let severity = severity.ok_or_else(|| reader.wrong("`severity` is missing"))?;
    let note = note(&mut reader)?;
    reader.finish()?;
    Ok(WholeRule { name, max, severity, note })
}

/// Reads what people read about a rule.
pub(super) fn note(reader: &mut Reader<'_>) -> Result<Note, String> {
    Ok(Note {
        source: reader.text("source")?,
        since: reader.text("since")?,
        about: reader.text("about")?,
    })
}

struct Context<'a> {
    names: Names,
    /// The properties that a name stands for.
    groups: BTreeMap<&'a str, Option<Reader<'a>>>,
    severities: &'a Severities,
}

impl Context<'_> {
    fn shape(&self, name: &str, mut reader: Reader<'_>, component: bool) -> Result<Shape, String> {
        let is = match reader.table("is")? {
            None if component => Some(("tag".to_owned(), name.to_owned())),
            None => None,
            Some(is) => Some(self.is(&is)?),
        };
        let nature = nature(&mut reader, component)?;
        let mut properties = Vec::new();
        if let Some(own) = reader.table("property")? {
            self.add(&own, &mut properties)?;
        }
        for group in reader.texts("use")? {
            let group = self.groups.get(group.as_str());
            let group =
                group.ok_or_else(|| reader.wrong("`use` names a group that is not there"))?;
            group.as_ref().map_or(Ok(()), |group| self.add(group, &mut properties))?;
        }
        if properties.len() > MOST {
            return Err(reader.wrong(format_args!("more than {MOST} properties")));
        }
        let mut places = Vec::new();
        places.extend(self.places(reader.table("only_in")?, true)?);
        places.extend(self.places(reader.table("never_in")?, false)?);
        let mut sets = self.sets(&mut reader, ("one_of", "one_of_severity"), &properties)?;
        let most = ("at_most_one", "at_most_one_severity");
        sets.extend(self.sets(&mut reader, most, &properties)?);
        let unknown = reader.severity_or_none("unknown")?;
        let shape = Shape {
            name: name.to_owned(),
            is,
            nature,
            places,
            sets,
            unknown: unknown.unwrap_or(self.severities.unknown_property),
            index: Index::of(&properties),
            properties,
            documented: reader.count("documented")?,
            note: note(&mut reader)?,
        };
        if shape.note.source.is_none() {
            return Err(reader.wrong("`source` is missing"));
        }
        reader.finish()?;
        Ok(shape)
    }

    fn is(&self, reader: &Reader<'_>) -> Result<(String, String), String> {
        let mut members = reader.strings();
        match (members.next(), members.next()) {
            (Some((key, value)), None) => Ok((key.to_owned(), value.to_owned())),
            _ => Err(reader.wrong("must have one member, which is text")),
        }
    }

    fn add(&self, properties: &Reader<'_>, to: &mut Vec<Property>) -> Result<(), String> {
        for (name, reader) in properties.members()? {
            if to.iter().all(|there| there.name != name) {
                to.push(property::read(name, reader, &self.names, self.severities)?);
            }
        }
        Ok(())
    }

    fn places(&self, reader: Option<Reader<'_>>, wanted: bool) -> Result<Option<Places>, String> {
        let Some(mut reader) = reader else { return Ok(None) };
        let places = reader.texts("places")?;
        let mut around = 0;
        for place in &places {
            around |= match self.names.shapes.get(place) {
                _ if place == "root" => ROOT,
                Some(shape) if *shape < MOST - 1 => 1 << shape,
                _ => return Err(reader.wrong(format_args!("`{place}` is no component"))),
            };
        }
        let directly = reader.flag("directly")?;
        let severity = reader.severity("severity")?.unwrap_or(self.severities.place);
        note(&mut reader)?;
        reader.finish()?;
        Ok(Some(Places { wanted, directly, around, severity, words: places.join(", ") }))
    }

    fn sets(
        &self,
        reader: &mut Reader<'_>,
        (key, severity): (&'static str, &'static str),
        properties: &[Property],
    ) -> Result<Vec<Set>, String> {
        let severity = reader.severity(severity)?.unwrap_or(self.severities.required);
        let mut sets = Vec::new();
        for names in reader.list(key)? {
            let at_least = key == "one_of";
            let mut set = Set { at_least, properties: 0, severity, words: String::new() };
            for name in names.as_array().into_iter().flatten() {
                let place = properties.iter().position(|there| Some(&*there.name) == name.as_str());
                let place =
                    place.ok_or_else(|| reader.wrong(format_args!("{name:?} is no property")))?;
                set.properties |= 1 << place;
                let comma = if set.words.is_empty() { "" } else { ", " };
                set.words.extend([comma, &properties[place].name]);
            }
            sets.push(set);
        }
        Ok(sets)
    }
}

fn nature(reader: &mut Reader<'_>, component: bool) -> Result<Nature, String> {
    let counts = reader.flag("counts")?;
    match (component, reader.text("role")?.as_deref()) {
        (true, Some("container")) => Ok(Nature::Container),
        (true, Some("form")) => Ok(Nature::Form),
        (true, Some("display")) => Ok(Nature::Display),
        (true, Some("interactive")) => Ok(Nature::Interactive),
        (true, _) => Err(reader.wrong("`role` must be container, form, display or interactive")),
        (false, None) => Ok(if counts { Nature::Counted } else { Nature::Part }),
        (false, Some(_)) => Err(reader.wrong("only components have a `role`")),
    }
}

/// Returns the JSON of a text, a number or a truth value.
pub(super) fn scalar(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::String(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => return None,
    })
}
