//! The fuzz targets of the checker: functions that take any bytes and panic where a property does not hold. Only tests and the
//! feature `fuzzing` build this module.

use serde_json::Value;

use crate::check_file;
use crate::fault::Faults;

/// Largest card JSON that the platform takes, in bytes.
const MAX_CARD_BYTES: usize = 30 * 1024;
/// Extra bytes allowed for a template, whose wrapper does not count towards the limit.
const WRAPPER_BYTES: usize = 64;
/// Maximum number of faults that the checker reports.
const MOST_FAULTS: usize = 20;

/// Checks a card of JSON 1.0.
pub fn card_1(bytes: &[u8]) {
    card(bytes, "1.0");
}

/// Checks a card of JSON 2.0.
pub fn card_2(bytes: &[u8]) {
    card(bytes, "2.0");
}

fn card(bytes: &[u8], version: &str) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    judge(text);
    let Ok(Value::Object(mut card)) = serde_json::from_str(text) else { return };
    card.insert("schema".to_owned(), version.into());
    judge(&Value::Object(card).to_string());
}

/// Asserts that faults are few and point into the card, that white space changes nothing, and that a sound card is not too large.
fn judge(text: &str) {
    let report = check_file(text);
    named_well(&report.faults);
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        assert!(!report.faults.is_empty(), "text that is not JSON passes as a sound card");
        return;
    };
    // Inside a text that is JSON, places go on where a pointer into the whole cannot.
    let alone = report.unwrapped.is_empty();
    let both = report.faults.found().iter().chain(report.faults.warnings());
    for fault in both.filter(|_| alone) {
        let parent = fault.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        assert!(value.pointer(parent).is_some(), "{fault}: there is no such place");
        assert!(!fault.words.is_empty(), "a fault at {} has no words", fault.path);
    }
    let compact = value.to_string();
    let again = check_file(&compact);
    assert_eq!(again.version, report.version);
    assert_eq!(again.unwrapped, report.unwrapped);
    let both = |faults: &Faults| [faults.found(), faults.warnings()].concat();
    assert_eq!(both(&again.faults), both(&report.faults), "white space makes a difference");
    let is_sound = alone && report.version.is_some() && report.faults.is_empty();
    assert!(!is_sound || compact.len() <= MAX_CARD_BYTES + WRAPPER_BYTES, "it is too large");
}

fn named_well(faults: &Faults) {
    assert!(
        faults.found().len() <= MOST_FAULTS
            && (faults.beyond() == 0 || faults.found().len() == MOST_FAULTS)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target's name and function.
    type Target = (&'static str, fn(&[u8]));

    #[test]
    fn every_committed_input_keeps_the_properties() {
        let targets: [Target; 2] = [("card_1", card_1), ("card_2", card_2)];
        for (name, target) in targets {
            let corpus = format!("{}/../../tests/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
            let mut inputs = 0;
            for entry in std::fs::read_dir(&corpus).unwrap() {
                target(&std::fs::read(entry.unwrap().path()).unwrap());
                inputs += 1;
            }
            assert!(inputs > 0, "{corpus} is empty");
        }
    }
}
