//! Makes an entry of an event, with the names by which a repetition is recognised.

use std::time::Duration;

use serde::Deserialize;

use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::clock::now_ms;
use crate::inbox::body;
use crate::inbox::lane::lane;
use crate::plugin::loaded::Plugin;
use crate::record::Door;
use crate::store::inbox::EntryHead;
use crate::store::inbox::EntrySource;
use crate::store::inbox::NewEntry;
use crate::store::inbox::PluginQueue;
use crate::store::marks::Mark;

/// Makes an entry for that plugin. `marks` are remembered for as long as the platform may send the event again.
pub fn of_event(
    app: &str,
    plugin: &Plugin,
    callback: &Callback,
    door: Door,
    marks: Vec<Mark>,
    remembered: Duration,
) -> NewEntry {
    NewEntry {
        queue: PluginQueue { app: app.to_owned(), plugin: plugin.name().to_owned() },
        lane: lane(&plugin.policy().work.order, callback),
        head: EntryHead {
            source: EntrySource::Event,
            door,
            event_id: callback.header.event_id.clone(),
            event_type: callback.header.event_type.clone(),
            received_ms: now_ms(),
        },
        body: body::for_store(callback),
        marks,
        remembered,
    }
}

/// Tells whether a callback of an unknown type may be a callback that wants an answer. The types of events end with the version
/// of their schema, as in `im.message.receive_v1`; those of schema 1.0 are single words.
pub fn may_want_an_answer(event_type: &str) -> bool {
    let has_version = event_type.rsplit_once("_v").is_some_and(|(_, version)| {
        !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
    });
    event_type.contains('.') && !has_version
}

/// Returns the id of the message that the event brings. The platform sends one message under several event ids. Events about a
/// message, as that it was read, are no messages.
pub fn message_id(callback: &Callback) -> Option<String> {
    #[derive(Deserialize)]
    struct Second {
        message: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        message_id: String,
    }
    #[derive(Deserialize)]
    struct First {
        open_message_id: String,
    }
    let Body::Other(event) = &callback.body else { return None };
    let id = match callback.header.event_type.as_str() {
        "im.message.receive_v1" => named_fields::from_str::<Second>(event).ok()?.message.message_id,
        "message" => named_fields::from_str::<First>(event).ok()?.open_message_id,
        _ => return None,
    };
    Some(id).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::plain;

    #[test]
    fn a_type_says_whether_it_may_want_an_answer() {
        for event in ["im.message.receive_v1", "contact.user.created_v3", "message", "out_approval"]
        {
            assert!(!may_want_an_answer(event), "{event}");
        }
        for callback in ["profile.view.get", "card.action.trigger", "some.callback_v"] {
            assert!(may_want_an_answer(callback), "{callback}");
        }
    }

    #[test]
    fn a_message_has_an_id_and_an_event_about_one_has_none() {
        let id = |kind: &str, event: &str| {
            let body = format!(r#"{{"header":{{"event_type":"{kind}"}},"event":{event}}}"#);
            message_id(&plain::read(body.into()).unwrap())
        };
        let message = r#"{"message":{"message_id":"om_1"}}"#;
        assert_eq!(id("im.message.receive_v1", message).as_deref(), Some("om_1"));
        assert_eq!(id("im.message.recalled_v1", message), None);
        assert_eq!(id("im.message.receive_v1", r#"{"message":{"message_id":""}}"#), None);
        assert_eq!(id("message", r#"{"open_message_id":"om_2"}"#).as_deref(), Some("om_2"));
    }
}
