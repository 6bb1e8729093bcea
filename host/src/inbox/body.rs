//! The body of an entry: the event as the platform sent it, without the app's verification token. A handler also finds in it
//! how often somebody has begun to work on it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;

/// The member that the host adds to the body.
const ADDED: &str = "aviary";

/// The members of an object. Their values stay as they were written.
type BodyMembers = BTreeMap<String, Box<RawValue>>;

/// Returns the body for the store. The callback's parser has read the same bytes, so that they are a JSON object.
pub fn for_store(body: &[u8]) -> Result<Bytes, serde_json::Error> {
    let mut members: BodyMembers = serde_json::from_slice(body)?;
    match members.get_mut("header") {
        Some(header) => {
            let mut inner: BodyMembers = serde_json::from_str(header.get())?;
            inner.remove("token");
            *header = to_raw_value(&inner)?;
        }
        None => drop(members.remove("token")),
    }
    serde_json::to_vec(&members).map(Bytes::from)
}

/// Returns the body for a handler, with the number of the attempt.
pub fn for_handler(body: &[u8], attempt: u32) -> Result<Bytes, serde_json::Error> {
    let mut members: BodyMembers = serde_json::from_slice(body)?;
    members.insert(ADDED.to_owned(), to_raw_value(&json!({ "attempt": attempt }))?);
    serde_json::to_vec(&members).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn json(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn the_token_goes_and_the_event_stays_as_it_was_written() {
        let event = r#"{"b" : 1.0, "a":123456789012345678901234567890, "token":"theirs"}"#;
        for (body, header) in [
            (
                format!(
                    r#"{{"schema":"2.0","header":{{"token":"t","event_id":"e"}},"event":{event}}}"#
                ),
                true,
            ),
            (format!(r#"{{"uuid":"u","token":"t","event":{event}}}"#), false),
        ] {
            let stored = for_store(body.as_bytes()).unwrap();
            let text = std::str::from_utf8(&stored).unwrap();
            assert!(text.contains(event) && !text.contains("\"t\""), "{text}");
            assert_eq!(json(&stored)["header"]["event_id"] == "e", header);
            let given = for_handler(&stored, 2).unwrap();
            assert_eq!(json(&given)["aviary"], json!({ "attempt": 2 }));
            assert!(std::str::from_utf8(&given).unwrap().contains(event));
        }
    }
}
