//! Reads one property of a rules file.

use serde_json::Value;

use crate::fault::Severity;
use crate::format::Format;
use crate::rules::Limit;
use crate::rules::Limited;
use crate::rules::Presence;
use crate::rules::Property;
use crate::rules::Scope;
use crate::rules::Severities;
use crate::rules::file::note;
use crate::rules::file::scalar;
use crate::rules::kind;
use crate::rules::kind::Kind;
use crate::rules::kind::Names;
use crate::rules::table::Reader;

pub(super) fn read(
    name: &str,
    mut reader: Reader<'_>,
    names: &Names,
    severities: &Severities,
) -> Result<Property, String> {
    let severity = reader.severity("severity")?;
    let removed = reader.text("removed")?;
    let kind = match reader.text("type")? {
        Some(words) => kind::read(&words, names).map_err(|error| reader.wrong(error))?,
        None if removed.is_some() => Kind::Any,
        None => return Err(reader.wrong("`type` is missing")),
    };
    let presence = presence(&mut reader, removed, severity, severities)?;
    let limits = limits(&mut reader, severity, severities)?;
    let note = note(&mut reader)?;
    reader.finish()?;
    Ok(Property { name: name.to_owned(), kind, presence, limits, severity, note })
}

fn presence(
    reader: &mut Reader<'_>,
    removed: Option<String>,
    severity: Option<Severity>,
    severities: &Severities,
) -> Result<Presence, String> {
    let required = reader.severity("required")?;
    let place = reader.text("required_in")?;
    Ok(match (removed, place.as_deref()) {
        (Some(words), _) => Presence::Removed(severity.unwrap_or(severities.place), words),
        (None, Some("form")) => Presence::InForm(required.unwrap_or(Severity::Certain)),
        (None, Some(_)) => return Err(reader.wrong("`required_in` must be form")),
        (None, None) => required.map_or(Presence::Optional, Presence::Required),
    })
}

fn limits(
    reader: &mut Reader<'_>,
    severity: Option<Severity>,
    severities: &Severities,
) -> Result<Vec<Limited>, String> {
    let mut limits = Vec::new();
    let value = severity.unwrap_or(severities.value);
    let size = severity.unwrap_or(severities.limit);
    if let Some(values) = values(reader, "values")? {
        limits.push(Limited { limit: Limit::Values(values), severity: value });
    }
    if let Some(values) = values(reader, "removed_values")? {
        limits.push(Limited { limit: Limit::Removed(values), severity: value });
    }
    if let Some(name) = reader.text("format")? {
        let format = Format::named(&name);
        let format =
            format.ok_or_else(|| reader.wrong(format_args!("no format is called `{name}`")))?;
        limits.push(Limited { limit: Limit::Format(format), severity: value });
    }
    let mut sized = |limit| limits.push(Limited { limit, severity: size });
    let (min, max) = (reader.number("min")?, reader.number("max")?);
    if min.is_some() || max.is_some() {
        sized(Limit::Number { min, max });
    }
    let (min, max) = (reader.count("min_chars")?, reader.count("max_chars")?);
    if min.is_some() || max.is_some() {
        sized(Limit::Chars { min: min.unwrap_or(0), max: max.unwrap_or(usize::MAX) });
    }
    let (min, max) = (reader.count("min_items")?, reader.count("max_items")?);
    if min.is_some() || max.is_some() {
        sized(Limit::Items { min: min.unwrap_or(0), max: max.unwrap_or(usize::MAX) });
    }
    if let Some(max) = reader.count("max_tables")? {
        sized(Limit::Tables(max));
    }
    if let Some(severity) = reader.severity("in_form_only")? {
        limits.push(Limited { limit: Limit::InForm, severity });
    }
    match reader.text("true_only_in")?.as_deref() {
        None => {}
        Some("form") => limits.push(Limited {
            limit: Limit::TrueInForm,
            severity: severity.unwrap_or(severities.place),
        }),
        Some(_) => return Err(reader.wrong("`true_only_in` must be form")),
    }
    unique(reader, &mut limits)?;
    if let Some(path) = reader.text("among")? {
        let (list, member) =
            path.split_once('.').ok_or_else(|| reader.wrong("`among` must be LIST.MEMBER"))?;
        let limit = Limit::Among { list: list.to_owned(), member: member.to_owned() };
        limits.push(Limited { limit, severity: value });
    }
    Ok(limits)
}

fn values(reader: &mut Reader<'_>, key: &'static str) -> Result<Option<Vec<Value>>, String> {
    let values = reader.list(key)?;
    if values.is_empty() {
        return Ok(None);
    }
    let values = values.iter().map(scalar).collect::<Option<_>>();
    values.map(Some).ok_or_else(|| reader.wrong(format_args!("`{key}` must be texts or numbers")))
}

/// Narrow scopes come first: a value that is used twice within one is not reported again for a wider one.
fn unique(reader: &mut Reader<'_>, limits: &mut Vec<Limited>) -> Result<(), String> {
    let Some(mut scopes) = reader.table("unique")? else { return Ok(()) };
    let all = [
        ("list", Scope::List),
        ("form", Scope::Form),
        ("kind", Scope::SameKind),
        ("card", Scope::Card),
    ];
    for (name, scope) in all {
        if let Some(severity) = scopes.severity(name)? {
            limits.push(Limited { limit: Limit::Unique(scope), severity });
        }
    }
    scopes.finish()
}
