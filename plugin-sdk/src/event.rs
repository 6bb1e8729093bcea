//! `Event`: something that happened, with a body of the event type's own shape and no reply.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Event;
use crate::json::JsonError;
use crate::json::read;

impl Event {
    /// The platform's `event` object. `header.event_type` says which shape it has.
    ///
    /// # Errors
    /// [`JsonError::Malformed`], which the host rules out: it parsed the body before you did.
    pub fn body_json(&self) -> Result<Value, JsonError> {
        self.body_as()
    }

    /// The platform's `event` object, read into a type of yours.
    ///
    /// # Errors
    /// [`JsonError::Malformed`] if the body has another shape.
    pub fn body_as<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        read("event.body", Some(&self.body))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Event;
    use crate::Header;
    use crate::json::JsonError;

    #[test]
    fn the_body_is_read_on_request() -> Result<(), JsonError> {
        let header = Header {
            event_id: Some("e1".to_owned()),
            event_type: "im.message.receive_v1".to_owned(),
            app_id: "cli_a".to_owned(),
            tenant_key: "t".to_owned(),
            created_ms: 1_700_000_000_000,
        };
        let event = Event { header, body: r#"{"message":{"chat_id":"oc_1"}}"#.to_owned() };
        assert_eq!(event.body_json()?["message"]["chat_id"], json!("oc_1"));
        assert!(event.body_as::<u32>().is_err());
        Ok(())
    }
}
