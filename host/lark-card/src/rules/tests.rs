//! Tests of the rules themselves: both files can be read, and what a person may get wrong in them is said with its place.

use super::*;

#[test]
fn each_documented_property_is_known() {
    for version in [CardVersion::V1, CardVersion::V2] {
        let rules = of(version);
        assert_eq!(rules.version, version.as_str());
        for shape in &rules.shapes {
            let told = shape.is.as_ref().filter(|(name, _)| shape.find(name).is_none());
            let known = shape.properties.len() + usize::from(told.is_some());
            let documented = shape.documented.unwrap_or(0);
            assert!(
                known >= documented,
                "{} {}: {known} of {documented}",
                rules.version,
                shape.name
            );
        }
    }
}

#[test]
fn every_rule_about_the_whole_card_has_a_source() {
    for version in [CardVersion::V1, CardVersion::V2] {
        for rule in &of(version).whole {
            assert!(rule.note.source.is_some(), "{:?}", rule.name);
        }
    }
}

/// The least that a file can say.
const LEAST: &str = r#"
version = "2.0"
[severity]
unknown_property = "certain"
unknown_tag = "certain"
wrong_kind = "certain"
wrong_scalar = "likely"
value = "likely"
limit = "likely"
required = "likely"
place = "certain"
locale = "likely"
[shape.card]
source = "here"
"#;

#[test]
fn a_mistake_in_a_file_is_named_with_its_place() {
    assert!(file::read(LEAST).is_ok());
    for (mistake, words) in [
        ("[component.a]\nsource = \"x\"", "rules.component.a: `role` must be"),
        ("[component.a]\nrole = \"display\"", "rules.component.a: `source` is missing"),
        ("[shape.a]\nsource = \"x\"\nsorce = \"y\"", "rules.shape.a: `sorce` is no key here"),
        (
            "[shape.a.property]\nb = { type = \"strin\" }",
            "rules.shape.a.property.b: no type is called `strin`",
        ),
        (
            "[shape.a.property]\nb = { type = \"string\", max = \"3\" }",
            "rules.shape.a.property.b: `max` must be a number",
        ),
        (
            "[shape.a.property]\nb = { type = \"string\", required = \"yes\" }",
            "yes is neither certain nor likely",
        ),
        (
            "[shape.a]\nsource = \"x\"\nonly_in = { places = [\"b\"] }",
            "rules.shape.a.only_in: `b` is no component",
        ),
        ("[shape.a]\nsource = \"x\"\nuse = [\"b\"]", "`use` names a group that is not there"),
        ("[rule.a]\nseverity = \"likely\"", "rules.rule.a: no rule has this name"),
    ] {
        let error = file::read(&format!("{LEAST}\n{mistake}")).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn types_are_read_as_they_are_written() {
    let mut names = kind::Names::default();
    names.shapes.insert("one".to_owned(), 1);
    names.shapes.insert("two".to_owned(), 2);
    names.aliases.insert("both".to_owned(), "one or two".to_owned());
    names.aliases.insert("round".to_owned(), "round or one".to_owned());
    let both = || vec![Kind::Shape(1), Kind::Shape(2)];
    let list = |kind| Kind::List(Box::new(kind));
    for (words, kind) in [
        ("string", Kind::Text),
        ("both", Kind::OneOf(both())),
        ("list of one or two", Kind::OneOf(vec![list(Kind::Shape(1)), Kind::Shape(2)])),
        ("list of (one or two)", list(Kind::OneOf(both()))),
        ("locales of list of both", Kind::Locales(Box::new(list(Kind::OneOf(both()))))),
    ] {
        assert_eq!(kind::read(words, &names), Ok(kind), "{words}");
    }
    for words in ["", "list", "list of", "(one", "one two", "three", "round"] {
        assert!(kind::read(words, &names).is_err(), "{words}");
    }
}
