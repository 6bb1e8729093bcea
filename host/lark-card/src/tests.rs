//! Tests of the golden cards in `cards`, and of what has no file: versions that do not match, and speed.

use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::fault::Severity;

fn golden(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cards").join(folder);
    let mut cards: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with(".expect.json"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    cards.sort();
    assert!(!cards.is_empty());
    cards
}

/// Compares what is found with the file beside the card.
fn as_expected(path: &std::path::Path, report: &FileReport) -> Result<(), String> {
    let (faults, warnings) = (report.faults.found(), report.faults.warnings());
    let found: Vec<Value> = faults
        .iter()
        .chain(warnings)
        .map(|fault| {
            let (rule, severity) = (fault.rule.as_str(), fault.severity.as_str());
            json!({ "path": fault.path, "rule": rule, "severity": severity })
        })
        .collect();
    let expected = std::fs::read_to_string(path.with_extension("expect.json"));
    let expected: Value = expected.map_or(json!([]), |text| serde_json::from_str(&text).unwrap());
    if json!(found) == expected {
        return Ok(());
    }
    Err(format!("{}:\n{}\n{}", path.display(), report.faults, json!(found)))
}

fn all_as_expected(folder: &str, holds: fn(&FileReport) -> bool) {
    let mut wrong = Vec::new();
    for (path, text) in golden(folder) {
        let report = check_file(&text);
        wrong.extend(as_expected(&path, &report).err());
        if !holds(&report) {
            wrong.push(format!("{} is in the wrong folder: {}", path.display(), report.faults));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn good_cards_have_no_fault() {
    all_as_expected("good", |report| {
        report.faults.is_empty() && report.faults.warnings().is_empty()
    });
}

#[test]
fn doubtful_cards_have_warnings_and_are_not_refused() {
    all_as_expected("warned", |report| {
        report.faults.is_empty() && !report.faults.warnings().is_empty()
    });
}

#[test]
fn bad_cards_have_the_faults_that_are_expected_of_them() {
    all_as_expected("bad", |report| !report.faults.is_empty());
}

#[test]
fn what_was_around_a_card_is_said() {
    for (name, wrappers) in [
        ("wrapped.json", vec![Wrapper::Typed]),
        ("wrapped-message.json", vec![Wrapper::Message]),
        ("wrapped-message-body.json", vec![Wrapper::Message]),
        ("wrapped-builder-export.json", vec![Wrapper::BuilderExport]),
        ("wrapped-entity.json", vec![Wrapper::Entity]),
        ("wrapped-entity-update.json", vec![Wrapper::Entity, Wrapper::Entity]),
        ("wrapped-answer.json", vec![Wrapper::Answer, Wrapper::Typed]),
        ("wrapped-update.json", vec![Wrapper::Update]),
        ("blank.json", vec![]),
    ] {
        let (_, text) = golden("good").into_iter().find(|(path, _)| path.ends_with(name)).unwrap();
        assert_eq!(check_file(&text).unwrapped, wrappers, "{name}");
    }
}

#[test]
fn a_fault_inside_a_text_is_found() {
    let report = check_file(
        r#"{"msg_type":"interactive","content":"{\"elements\":[{\"tag\":\"buton\"}]}"}"#,
    );
    assert_eq!(report.faults.found()[0].path, "/content/elements/0/tag");
    let report = check_file(r#"{"msg_type":"interactive","content":"hello"}"#);
    assert_eq!(report.faults.found()[0].path, "/content");
    let report = check_file(r#"{"msg_type":"text","content":{"text":"hello"}}"#);
    assert_eq!(report.faults.found()[0].path, "/msg_type");
}

#[test]
fn an_answer_has_a_card_itself_and_nothing_around_it() {
    let answer = json!({ "type": "raw", "data": { "msg_type": "interactive", "card": {} } });
    let mut faults = Faults::default();
    let known = CardContext { text_bytes: 60, replaces: None };
    check_wrapped(&answer, &At::Root, known, &mut faults);
    let fault = &faults.found()[0];
    assert_eq!((fault.path.as_str(), fault.severity), ("/data", Severity::Certain));
    assert!(fault.words.contains("a message"), "{fault}");
}

#[test]
fn a_card_is_only_replaced_by_its_own_version() {
    let (old, new) = (json!({ "elements": [] }), json!({ "schema": "2.0" }));
    for (card, replaces, fits) in [
        (&old, CardVersion::V1, true),
        (&new, CardVersion::V2, true),
        (&old, CardVersion::V2, false),
        (&new, CardVersion::V1, false),
    ] {
        let mut faults = Faults::default();
        let known = CardContext { text_bytes: 20, replaces: Some(replaces) };
        check_legacy(card, &At::Root, known, &mut faults);
        assert_eq!(faults.is_empty(), fits, "{card}: {faults}");
    }
}

#[test]
fn white_space_does_not_count() {
    let text = format!("{{\"schema\":\"2.0\"{}}}", " ".repeat(31 * 1024));
    assert!(check_file(&text).faults.is_empty());
}

/// Not a limit that a busy machine could break: a checker that allocates or measures for each element is ten times
/// slower than this.
#[test]
fn a_card_of_a_kilobyte_is_checked_in_microseconds() {
    let (_, text) =
        golden("good").into_iter().find(|(path, _)| path.ends_with("v1-approval.json")).unwrap();
    let card: Value = serde_json::from_str(&text).unwrap();
    let known = CardContext { text_bytes: text.len(), replaces: None };
    let fastest = (0..200)
        .map(|_| {
            let started = std::time::Instant::now();
            let mut faults = Faults::default();
            check_legacy(std::hint::black_box(&card), &At::Root, known, &mut faults);
            assert!(faults.is_empty());
            started.elapsed()
        })
        .min()
        .unwrap();
    assert!(fastest.as_micros() < 150, "{fastest:?} unoptimised");
}

#[test]
fn the_schema_refers_to_what_it_defines() {
    let schema = schema();
    let text = schema.to_string();
    let references = text.split("\"#/$defs/").skip(1);
    let mut number = 0;
    for reference in references {
        let name = reference.split('"').next().unwrap();
        assert!(schema["$defs"].get(name).is_some(), "{name}");
        number += 1;
    }
    assert!(number > 100, "{number}");
}

/// The variable and the form of the markers are those of the other tables that tests write.
#[test]
fn the_table_in_the_documents_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/cards.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = text.find("<!-- cards: begin").unwrap();
    let begin = begin + text[begin..].find("-->").unwrap() + "-->".len();
    let end = text.find("<!-- cards: end -->").unwrap();
    let current = format!("{}\n\n{}\n{}", &text[..begin], coverage(), &text[end..]);
    if std::env::var_os("AVIARY_UPDATE_TABLES").is_some() {
        std::fs::write(&path, current).unwrap();
        return;
    }
    assert!(text == current, "docs/cards.md is not current: run with AVIARY_UPDATE_TABLES=1");
}
