//! Fuzz targets for the journal: masking, and reading a file of the ring.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::journal::entry::Entry;
use crate::journal::mask::Masks;
use crate::journal::segment;

/// Members whose values are masked wherever they stand.
const MASKED: [&str; 5] = ["token", "access_token", "password", "secret", "name"];
/// JSON pointer to a value that is masked in the callback.
const POINTER: &str = "/event/operator/open_id";
/// A shorter secret may occur by chance among the letters that mask another one.
const LEAST_BYTES: usize = 12;
/// Levels of JSON texts inside JSON texts that are searched for secrets.
const DEEPEST: usize = 4;

/// Asserts that masked JSON keeps its shape and lengths and contains none of the secrets, both as the callback itself and as any
/// other part of an entry.
pub fn mask(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(before) = serde_json::from_str::<Value>(text) else { return };
    let mut secrets = BTreeSet::new();
    collect(&before, false, &mut secrets);
    secrets.retain(|secret| secret.len() >= LEAST_BYTES);
    let masks = Masks::new(&["name".to_owned(), POINTER.to_owned()]);
    let mut masking = masks.begin();
    let found = masking.other(text).expect("JSON can be looked through");
    let masked = masking.everywhere(found).into_owned();
    is_masked(&before, &masked, &secrets);
    let pointed_at = before.pointer(POINTER).and_then(Value::as_str);
    secrets.extend(pointed_at.filter(|text| text.len() >= LEAST_BYTES).map(str::to_owned));
    let mut masking = masks.begin();
    let found = masking.callback(text).expect("JSON can be looked through");
    let masked = masking.everywhere(found).into_owned();
    is_masked(&before, &masked, &secrets);
}

fn is_masked(before: &Value, masked: &str, secrets: &BTreeSet<String>) {
    let after = serde_json::from_str::<Value>(masked).expect("masked JSON is JSON");
    same_shape(before, &after, 0);
    holds_none(&after, secrets);
}

/// Collects numbers and texts under a masked member, at any depth.
fn collect(value: &Value, masked: bool, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            collect(value, masked || MASKED.contains(&name.as_str()), secrets);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, masked, secrets)),
        Value::String(text) if masked => drop(secrets.insert(text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn holds_none(value: &Value, secrets: &BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            assert!(!secrets.contains(name), "a member is still called {name}");
            holds_none(value, secrets);
        }),
        Value::Array(items) => items.iter().for_each(|item| holds_none(item, secrets)),
        Value::String(text) => {
            let left = secrets.iter().find(|secret| text.contains(secret.as_str()));
            assert!(left.is_none(), "{text:?} still holds {left:?}");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn same_shape(before: &Value, after: &Value, depth: usize) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            if before.len() != after.len() {
                // The few letters that mask a short name may equal another member's name by chance.
                let has_short_name = before.keys().any(|name| name.len() < LEAST_BYTES);
                return assert!(has_short_name, "members are lost");
            }
            before
                .values()
                .zip(after.values())
                .for_each(|(one, other)| same_shape(one, other, depth));
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len(), "items are lost");
            before.iter().zip(after).for_each(|(one, other)| same_shape(one, other, depth));
        }
        (Value::String(before), Value::String(after)) => {
            let inner = |text: &str| {
                let may_be = text.starts_with(['{', '[']) && depth < DEEPEST;
                may_be.then(|| serde_json::from_str::<Value>(text).ok()).flatten()
            };
            match (inner(before), inner(after)) {
                (Some(one), Some(other)) => same_shape(&one, &other, depth + 1),
                _ => assert_eq!(before.len(), after.len(), "{before:?} became {after:?}"),
            }
        }
        (Value::Number(_), Value::Number(_)) => {}
        (before, after) => assert_eq!(before, after),
    }
}

/// Reads a file of the ring. Its records must come back as they were written, up to the first damaged one.
pub fn ring(bytes: &[u8]) {
    reads_back(bytes);
    let mut file = segment::HEAD.to_vec();
    let texts: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    for text in &texts {
        let whole = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(text);
            Some(())
        };
        segment::append(&mut file, usize::MAX, whole).expect("a short record is taken");
    }
    assert_eq!(
        segment::records(&file),
        texts,
        "the records that are read differ from those that were written"
    );
    let torn = bytes.len() % (file.len() - segment::HEAD.len()) + segment::HEAD.len();
    let left = segment::records(&file[..torn]);
    assert!(texts.starts_with(&left) && left.len() < texts.len(), "a torn record is read");
}

fn reads_back(file: &[u8]) {
    let records = segment::records(file);
    let mut again = segment::HEAD.to_vec();
    for record in &records {
        let whole = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(record);
            Some(())
        };
        segment::append(&mut again, usize::MAX, whole).expect("it was a record");
        let Some(entry) = Entry::read(record) else { continue };
        let written = serde_json::to_vec(&entry).expect("an entry can be written");
        let read = Entry::read(&written).expect("an entry that was written can be read");
        assert_eq!(serde_json::to_vec(&read).ok(), Some(written), "an entry changed");
        let _ = entry.to_play();
    }
    assert!(
        records.is_empty() || file.starts_with(&again),
        "a record is read that does not stand in the file"
    );
}
