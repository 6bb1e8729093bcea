//! The body of an entry: the event as the platform sent it, without the app's verification token. A handler also finds in it
//! how often somebody has begun to work on it.

use bytes::Bytes;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::callback::model::Callback;
use crate::callback::raw_object::RawObject;

/// The member that the host adds to the body.
const ADDED: &str = "aviary";

/// Returns the body for the store.
pub fn for_store(callback: &Callback) -> Bytes {
    callback.raw().without_secrets().into()
}

/// Returns the body for a handler, with the number of the attempt.
pub fn for_handler(body: &str, attempt: u32) -> Result<Bytes, serde_json::Error> {
    let added = to_raw_value(&json!({ "attempt": attempt }))?;
    let mut event = RawObject::read(body)?;
    event.remove(ADDED);
    event.0.push((ADDED.into(), &added));
    Ok(event.to_json().into())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::callback::plain;

    fn json(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn the_token_goes_and_the_event_stays_as_it_was_written() {
        let event = r#"{"type":"out_approval","b" : 1.0, "a":123456789012345678901234567890, "token":"theirs"}"#;
        for (body, header) in [
            (
                format!(
                    r#"{{"schema":"2.0","header":{{"token":"t","event_id":"e","event_type":"a.b_v1"}},"event":{event}}}"#
                ),
                true,
            ),
            (
                format!(r#"{{"uuid":"u","token":"t","type":"event_callback","event":{event}}}"#),
                false,
            ),
        ] {
            let stored = for_store(&plain::read(body.into()).unwrap());
            let text = std::str::from_utf8(&stored).unwrap();
            assert!(text.contains(event) && !text.contains("\"t\""), "{text}");
            assert_eq!(json(&stored)["header"]["event_id"] == "e", header);
            let given = for_handler(text, 2).unwrap();
            assert_eq!(json(&given)["aviary"], json!({ "attempt": 2 }));
            assert!(std::str::from_utf8(&given).unwrap().contains(event));
        }
    }
}
