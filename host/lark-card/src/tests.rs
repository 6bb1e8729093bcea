//! Tests of the golden cards in `cards`, and of what has no file: versions that do not match, and speed.

use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::*;

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

#[test]
fn good_cards_have_no_fault() {
    for (path, text) in golden("good") {
        let report = check_file(&text);
        assert!(report.faults.is_empty(), "{}: {}", path.display(), report.faults);
    }
}

#[test]
fn bad_cards_have_the_faults_that_are_expected_of_them() {
    for (path, text) in golden("bad") {
        let report = check_file(&text);
        let found: Vec<Value> = report
            .faults
            .found()
            .iter()
            .map(|fault| json!({ "path": fault.path, "rule": fault.rule.as_str() }))
            .collect();
        let expected = std::fs::read_to_string(path.with_extension("expect.json")).unwrap();
        let expected: Vec<Value> = serde_json::from_str(&expected).unwrap();
        assert_eq!(found, expected, "{}: {}", path.display(), report.faults);
    }
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
        check_card(card, &At::Root, known, &mut faults);
        assert_eq!(faults.is_empty(), fits, "{card}: {faults}");
    }
}

#[test]
fn white_space_does_not_count() {
    let text = format!("{{\"schema\":\"2.0\"{}}}", " ".repeat(MAX_CARD_BYTES));
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
            check_card(std::hint::black_box(&card), &At::Root, known, &mut faults);
            assert!(faults.is_empty());
            started.elapsed()
        })
        .min()
        .unwrap();
    assert!(fastest.as_micros() < 100, "{fastest:?} unoptimised");
}
