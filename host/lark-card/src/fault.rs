//! Faults: the places of an answer that break a documented rule, and the rule.

/// Most faults that are reported of one answer. A broken generator repeats the same one hundreds of times, and twenty are enough
/// to see what it does; a log line stays a line.
const MAX_FAULTS: usize = 20;

/// What is known of the effect of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Documented as wrong or unsupported, but the effect is unknown, or cards in use speak against it: a warning.
    Likely,
    /// The platform refuses the card: it is documented to, or was seen to.
    Certain,
}

impl Severity {
    /// Returns the name of the severity for programs, which stays the same over versions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// The rules of the platform that can be checked without asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The text is JSON.
    Json,
    /// A value has the type that is documented.
    Type,
    /// A value is one of those that are documented.
    Value,
    /// A required part is there.
    Required,
    /// A card is not larger than allowed.
    Size,
    /// A card is JSON 1.0 or 2.0, and of the version it replaces.
    Version,
    /// Card JSON 2.0 has no properties but the documented ones.
    UnknownProperty,
    /// Elements are the documented ones.
    UnknownTag,
    /// Nothing is used that card JSON 2.0 has removed.
    Removed,
    /// Every part stands where it is allowed.
    Place,
    /// Containers are nested no deeper than allowed.
    Nesting,
    /// There are no more elements than allowed.
    Elements,
    /// There are no more tables, and no more columns of one, than allowed.
    Tables,
    /// An `element_id` is well-formed.
    ElementId,
    /// An `element_id` is used once.
    DuplicateId,
    /// In a form, a component that sends a value has a name.
    Name,
    /// In a form, a name is used once.
    DuplicateName,
    /// The locale is one of the documented ones.
    Locale,
    /// A number, a text or a list is within its limits.
    Limit,
    /// Of the options of one component, each has its own value.
    DuplicateValue,
    /// The option that is selected first is one of the options.
    Option,
    /// A form has a button that submits it.
    Submit,
    /// A card that cannot be forwarded says so.
    Forward,
}

impl Rule {
    /// Returns the name of the rule for programs, which stays the same over versions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Type => "type",
            Self::Value => "value",
            Self::Required => "required",
            Self::Size => "size",
            Self::Version => "version",
            Self::UnknownProperty => "unknown-property",
            Self::UnknownTag => "unknown-tag",
            Self::Removed => "removed",
            Self::Place => "place",
            Self::Nesting => "nesting",
            Self::Elements => "elements",
            Self::Tables => "tables",
            Self::ElementId => "element-id",
            Self::DuplicateId => "duplicate-id",
            Self::Name => "name",
            Self::DuplicateName => "duplicate-name",
            Self::Locale => "locale",
            Self::Limit => "limit",
            Self::DuplicateValue => "duplicate-value",
            Self::Option => "option",
            Self::Submit => "submit",
            Self::Forward => "forward",
        }
    }
}

/// A rule that an answer breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer to the place.
    pub path: String,
    /// Rule that is broken there.
    pub rule: Rule,
    /// What is known of the effect.
    pub severity: Severity,
    /// Explanation for people: what is wrong there, and what the limit is.
    pub words: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(formatter, "{path}: {}", self.words)
    }
}

/// A place in a JSON document: a list of steps that lives on the stack, so that checking a sound document allocates nothing.
/// Its `Display` is the JSON pointer.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// The root of the document.
    Root,
    /// The place with this JSON pointer.
    Under(&'a str),
    /// A member of an object.
    Key(&'a At<'a>, &'a str),
    /// An item of a list.
    Index(&'a At<'a>, usize),
}

impl<'a> At<'a> {
    /// Returns the place of the member `key`.
    pub fn key(&'a self, key: &'a str) -> Self {
        At::Key(self, key)
    }

    /// Returns the place of the item `index`, from 0.
    pub fn index(&'a self, index: usize) -> Self {
        At::Index(self, index)
    }
}

impl std::fmt::Display for At<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Under(path) => formatter.write_str(path),
            At::Key(before, key) => {
                before.fmt(formatter)?;
                formatter.write_str("/")?;
                // RFC 6901, without an allocation for the usual key.
                if key.contains(['~', '/']) {
                    return formatter.write_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                formatter.write_str(key)
            }
            At::Index(before, index) => {
                before.fmt(formatter)?;
                write!(formatter, "/{index}")
            }
        }
    }
}

/// The faults found so far: what the platform refuses, and beside it the warnings. Of each the first 20 are kept, and those beyond
/// are counted.
///
/// Whoever only decides whether a card may be sent need not know of the warnings: [`is_empty`](Self::is_empty),
/// [`found`](Self::found), [`count`](Self::count) and the text are about certain faults alone.
#[derive(Debug, Default)]
pub struct Faults {
    certain: Kept,
    likely: Kept,
}

#[derive(Debug, Default)]
struct Kept {
    found: Vec<Fault>,
    beyond: usize,
}

impl Faults {
    /// Adds a fault that the platform refuses.
    pub fn push(&mut self, at: &At<'_>, rule: Rule, words: impl std::fmt::Display) {
        self.add(Severity::Certain, at, rule, words);
    }

    /// Adds a fault of that severity.
    pub fn add(
        &mut self,
        severity: Severity,
        at: &At<'_>,
        rule: Rule,
        words: impl std::fmt::Display,
    ) {
        let kept = match severity {
            Severity::Certain => &mut self.certain,
            Severity::Likely => &mut self.likely,
        };
        if kept.found.len() == MAX_FAULTS {
            kept.beyond += 1;
            return;
        }
        kept.found.push(Fault { path: at.to_string(), rule, severity, words: words.to_string() });
    }

    /// Returns true if the platform refuses nothing.
    pub fn is_empty(&self) -> bool {
        self.certain.found.is_empty()
    }

    /// Returns the first 20 certain faults, in the order of the document.
    pub fn found(&self) -> &[Fault] {
        &self.certain.found
    }

    /// Returns the number of certain faults beyond the first 20.
    pub fn beyond(&self) -> usize {
        self.certain.beyond
    }

    /// Returns the number of certain faults.
    pub fn count(&self) -> usize {
        self.certain.found.len() + self.certain.beyond
    }

    /// Returns the first 20 likely faults, in the order of the document.
    pub fn warnings(&self) -> &[Fault] {
        &self.likely.found
    }

    /// Returns the number of likely faults beyond the first 20.
    pub fn warnings_beyond(&self) -> usize {
        self.likely.beyond
    }
}

/// Formats the certain ones in one line, for the log.
impl std::fmt::Display for Faults {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, fault) in self.found().iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            fault.fmt(formatter)?;
        }
        if self.beyond() > 0 {
            write!(formatter, "; and {} more", self.beyond())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_json_pointers() {
        let at = At::Under("/card");
        let elements = at.key("elements");
        let first = elements.index(0);
        assert_eq!(At::Root.to_string(), "");
        assert_eq!(first.key("a/b~c").to_string(), "/card/elements/0/a~1b~0c");
    }

    #[test]
    fn faults_are_bounded_and_say_how_many_more_there_are() {
        let mut faults = Faults::default();
        for index in 0..MAX_FAULTS + 3 {
            faults.push(&At::Root.index(index), Rule::Type, "wrong");
        }
        assert_eq!(faults.found().len(), MAX_FAULTS);
        assert_eq!(faults.beyond(), 3);
        assert!(faults.to_string().ends_with("/19: wrong; and 3 more"));
    }

    #[test]
    fn warnings_stay_beside_the_faults() {
        let mut faults = Faults::default();
        for index in 0..MAX_FAULTS + 1 {
            faults.add(Severity::Likely, &At::Root.index(index), Rule::Limit, "long");
        }
        assert!(faults.is_empty() && faults.to_string().is_empty());
        assert_eq!((faults.warnings().len(), faults.warnings_beyond()), (MAX_FAULTS, 1));
        faults.push(&At::Root, Rule::Type, "wrong");
        assert_eq!((faults.count(), faults.to_string().as_str()), (1, "/: wrong"));
    }
}
