//! The rules of each version of card JSON, as its file in `rules` says them. `rules/README.md` explains the files to people.

mod file;
mod kind;
mod property;
mod table;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde_json::Value;

use crate::CardVersion;
use crate::fault::Severity;
use crate::format::Format;

pub(crate) use crate::rules::kind::Kind;

static V1: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("../rules/v1.toml")));
static V2: LazyLock<Rules> = LazyLock::new(|| embedded(include_str!("../rules/v2.toml")));

/// Returns the rules of that version. The first call reads the file.
pub(crate) fn of(version: CardVersion) -> &'static Rules {
    match version {
        CardVersion::V1 => &V1,
        CardVersion::V2 => &V2,
    }
}

/// Reads the rules of both versions.
pub(crate) fn prepare() {
    LazyLock::force(&V1);
    LazyLock::force(&V2);
}

fn embedded(text: &str) -> Rules {
    // A test reads both files.
    file::read(text)
        .unwrap_or_else(|error| panic!("the rules that are part of this program: {error}"))
}

/// The rules of one version.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The version, as a card's `schema` says it.
    pub(crate) version: String,
    /// Severities where a rule names none.
    pub(crate) severities: Severities,
    /// Components, then the other objects, in the order of the file.
    pub(crate) shapes: Vec<Shape>,
    /// Number of components among `shapes`.
    pub(crate) components: usize,
    /// Components, sorted by tag.
    by_tag: Vec<usize>,
    /// The card itself, among `shapes`.
    pub(crate) card: usize,
    /// Tags that are no components, for which there are better words than that.
    pub(crate) strangers: Vec<Stranger>,
    /// Rules about more than one property.
    pub(crate) whole: Vec<WholeRule>,
}

impl Rules {
    /// Returns the component of that tag, as its place among the shapes.
    pub(crate) fn component(&self, tag: &str) -> Option<usize> {
        let found = self.by_tag.binary_search_by(|shape| (*self.shapes[*shape].name).cmp(tag));
        found.ok().map(|place| self.by_tag[place])
    }

    /// Returns the rule about more than one property, if this version has it.
    pub(crate) fn whole(&self, name: Whole) -> Option<&WholeRule> {
        self.whole.iter().find(|rule| rule.name == name)
    }
}

/// Severities where a rule names none. `None` where nothing is wrong at all.
#[derive(Debug)]
pub(crate) struct Severities {
    pub(crate) unknown_property: Option<Severity>,
    pub(crate) unknown_tag: Severity,
    pub(crate) wrong_kind: Severity,
    pub(crate) wrong_scalar: Severity,
    pub(crate) value: Severity,
    pub(crate) limit: Severity,
    pub(crate) required: Severity,
    pub(crate) place: Severity,
    pub(crate) locale: Severity,
}

/// An object with rules of its own: a component, or a part of one.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: String,
    /// The member that tells this object from others in the same place, and its value: `tag` and `plain_text`.
    pub(crate) is: Option<(String, String)>,
    pub(crate) nature: Nature,
    pub(crate) places: Vec<Places>,
    /// Of each of these, an object has one, or one at least, or one at most.
    pub(crate) sets: Vec<Set>,
    /// Severity of a property that is not listed; `None` where anything goes.
    pub(crate) unknown: Option<Severity>,
    /// Properties, in the order of the documentation. There are 64 at most.
    pub(crate) properties: Vec<Property>,
    index: Index,
    pub(crate) note: Note,
    /// Number of properties that the component's page lists.
    pub(crate) documented: Option<usize>,
}

impl Shape {
    /// Returns the place of a property among `properties`.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        let mut candidates = self.index.by_length[name.len().min(LONGEST)];
        while candidates != 0 {
            let place = candidates.trailing_zeros() as usize;
            if self.properties[place].name == name {
                return Some(place);
            }
            candidates &= candidates - 1;
        }
        None
    }

    /// Returns the properties that have to be there and are not in `seen`, as bits.
    pub(crate) fn missing(&self, seen: u64, in_form: bool) -> u64 {
        let required = self.index.required | if in_form { self.index.in_form } else { 0 };
        required & !seen
    }
}

/// Names of properties with this length or more share a place in an [`Index`].
const LONGEST: usize = 31;

/// What the walk over an object asks again and again, as bits of the properties.
#[derive(Debug)]
struct Index {
    /// Properties by the length of their names.
    by_length: [u64; LONGEST + 1],
    required: u64,
    /// Those that are required inside a form.
    in_form: u64,
}

impl Index {
    fn of(properties: &[Property]) -> Self {
        let mut index = Self { by_length: [0; LONGEST + 1], required: 0, in_form: 0 };
        for (place, property) in properties.iter().enumerate() {
            let bit = 1 << place;
            index.by_length[property.name.len().min(LONGEST)] |= bit;
            match property.presence {
                Presence::Required(_) => index.required |= bit,
                Presence::InForm(_) => index.in_form |= bit,
                Presence::Optional | Presence::Removed(..) => {}
            }
        }
        index
    }
}

/// Kind of an object, where a rule depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A component that holds others.
    Container,
    /// A container that sends the values of its components together.
    Form,
    /// A component that shows something.
    Display,
    /// A component that sends something back when it is touched.
    Interactive,
    /// No component, but counted like one: a text.
    Counted,
    /// No component, and not counted.
    Part,
}

impl Nature {
    /// Returns the word for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Form => "form",
            Self::Display => "display",
            Self::Interactive => "interactive",
            Self::Counted | Self::Part => "part",
        }
    }
}

/// Where a component may stand, or may not.
#[derive(Debug)]
pub(crate) struct Places {
    /// True if one of the places must be around the component, false if none may.
    pub(crate) wanted: bool,
    /// True if only the component right around counts.
    pub(crate) directly: bool,
    /// Bits of the components, by their place among the shapes, and [`ROOT`].
    pub(crate) around: u64,
    pub(crate) severity: Severity,
    /// The places as people read them.
    pub(crate) words: String,
}

/// Stands for the root of the card among the bits of [`Places`].
pub(crate) const ROOT: u64 = 1 << 63;

/// Properties of which a number is wanted.
#[derive(Debug)]
pub(crate) struct Set {
    /// True if an object has one at least of them, false if it has one at most.
    pub(crate) at_least: bool,
    /// Bits of the properties, by their place in the shape.
    pub(crate) properties: u64,
    pub(crate) severity: Severity,
    /// The names as people read them.
    pub(crate) words: String,
}

/// A property of an object.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
    pub(crate) limits: Vec<Limited>,
    /// Severity of a value of another kind, where it is not the usual one.
    pub(crate) severity: Option<Severity>,
    pub(crate) note: Note,
}

/// Whether a property has to be there, or must not.
#[derive(Debug)]
pub(crate) enum Presence {
    Optional,
    Required(Severity),
    /// Required inside a form.
    InForm(Severity),
    /// Does not exist any more; the words say what does its work.
    Removed(Severity, String),
}

/// A limit with its severity.
#[derive(Debug)]
pub(crate) struct Limited {
    pub(crate) limit: Limit,
    pub(crate) severity: Severity,
}

/// What is asked of a value besides its kind.
#[derive(Debug)]
pub(crate) enum Limit {
    Values(Vec<Value>),
    Format(Format),
    Number {
        min: Option<f64>,
        max: Option<f64>,
    },
    /// Values that do not exist any more.
    Removed(Vec<Value>),
    /// Characters of a text, or of a text object's content.
    Chars {
        min: usize,
        max: usize,
    },
    Items {
        min: usize,
        max: usize,
    },
    /// Tables in a markdown text.
    Tables(usize),
    /// Has a place inside a form only.
    InForm,
    /// Is true inside a form only.
    TrueInForm,
    Unique(Scope),
    /// The value, or each of them, is one of those in `list`, a sibling, under the name `member`.
    Among {
        list: String,
        member: String,
    },
}

/// Within what a value is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    List,
    Form,
    /// Among objects of the same kind in the card.
    SameKind,
    Card,
}

/// What people read about a rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note {
    /// Page of the official documentation, or report, that the rule is from. Of a property: only if not its component's.
    pub(crate) source: Option<String>,
    /// First version of the client that knows it.
    pub(crate) since: Option<String>,
    pub(crate) about: Option<String>,
}

/// A tag that is no component.
#[derive(Debug)]
pub(crate) struct Stranger {
    pub(crate) tag: String,
    pub(crate) rule: StrangerRule,
    pub(crate) severity: Severity,
    pub(crate) words: String,
}

/// Why a tag is no component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StrangerRule {
    Removed,
    Place,
    Unknown,
}

/// A rule about more than one property.
#[derive(Debug)]
pub(crate) struct WholeRule {
    pub(crate) name: Whole,
    pub(crate) max: Option<usize>,
    pub(crate) severity: Severity,
    pub(crate) note: Note,
}

/// The rules about more than one property. Each is a check in the code; its numbers and its severity are in the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// Bytes of card JSON.
    Size,
    /// Elements and components, texts included.
    Elements,
    /// Table components.
    Tables,
    /// Table components, and tables in markdown.
    AllTables,
    /// Charts.
    Charts,
    /// Levels of containers inside containers.
    Nesting,
    /// A form has a button that submits it.
    FormSubmit,
    /// A card with an audio cannot be forwarded, and says so.
    AudioForward,
}
