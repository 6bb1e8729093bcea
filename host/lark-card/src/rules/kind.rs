//! Kinds of values, and the words for them in the files: `list of (text or icon)`.

use std::collections::BTreeMap;

/// The kind of a property's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Anything at all.
    Any,
    Text,
    /// A text that is one of the documented locales.
    Locale,
    Boolean,
    Integer,
    Number,
    /// An object of the author's own.
    Object,
    /// Any component.
    Element,
    /// An object, by its place among the shapes.
    Shape(usize),
    List(Box<Kind>),
    /// An object of values by locale.
    Locales(Box<Kind>),
    /// An object of values by names of the author's own.
    Map(Box<Kind>),
    OneOf(Vec<Kind>),
}

/// The names that a file gives to kinds.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Places of components and shapes.
    pub(super) shapes: BTreeMap<String, usize>,
    /// Other words for kinds.
    pub(super) aliases: BTreeMap<String, String>,
}

/// Aliases inside aliases; more is a circle.
const MAX_ALIASES: usize = 8;

/// Reads the words for a kind.
pub(super) fn read(words: &str, names: &Names) -> Result<Kind, String> {
    let spaced = words.replace('(', " ( ").replace(')', " ) ");
    let mut words: Words<'_> = spaced.split_whitespace().peekable();
    let kind = alternatives(&mut words, names, 0)?;
    match words.next() {
        None => Ok(kind),
        Some(word) => Err(format!("`{word}` is one word too many")),
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn alternatives(words: &mut Words<'_>, names: &Names, depth: usize) -> Result<Kind, String> {
    let mut kinds = Vec::new();
    loop {
        match one(words, names, depth)? {
            Kind::OneOf(more) => kinds.extend(more),
            kind => kinds.push(kind),
        }
        if words.next_if_eq(&"or").is_none() {
            break;
        }
    }
    Ok(if kinds.len() == 1 { kinds.remove(0) } else { Kind::OneOf(kinds) })
}

fn one(words: &mut Words<'_>, names: &Names, depth: usize) -> Result<Kind, String> {
    let word = words.next().ok_or("a type is missing")?;
    Ok(match word {
        "any" => Kind::Any,
        "string" => Kind::Text,
        "locale" => Kind::Locale,
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "object" => Kind::Object,
        "element" => Kind::Element,
        "list" | "locales" | "map" => {
            words.next_if_eq(&"of").ok_or_else(|| format!("`{word}` of what?"))?;
            let inner = Box::new(one(words, names, depth)?);
            match word {
                "list" => Kind::List(inner),
                "locales" => Kind::Locales(inner),
                _ => Kind::Map(inner),
            }
        }
        "(" => {
            let kind = alternatives(words, names, depth)?;
            words.next_if_eq(&")").ok_or("a bracket is not closed")?;
            kind
        }
        name => named(name, names, depth)?,
    })
}

fn named(name: &str, names: &Names, depth: usize) -> Result<Kind, String> {
    if let Some(shape) = names.shapes.get(name) {
        return Ok(Kind::Shape(*shape));
    }
    let alias = names.aliases.get(name).ok_or_else(|| format!("no type is called `{name}`"))?;
    if depth == MAX_ALIASES {
        return Err(format!("the alias `{name}` goes round in a circle"));
    }
    let spaced = alias.replace('(', " ( ").replace(')', " ) ");
    alternatives(&mut spaced.split_whitespace().peekable(), names, depth + 1)
}
