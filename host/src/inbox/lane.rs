//! The lane of an event: the events of one lane are worked on one after the other.

use serde_json::Value;

use crate::callback::model::Body;
use crate::callback::model::Callback;
use crate::plugin::config::work::WorkOrder;
use crate::plugin::originator::EventIds;

/// Longest value that names a lane as it is. A longer one is hashed.
const LONGEST: usize = 200;

/// Returns the lane of an event in that order.
pub fn lane(order: &WorkOrder, callback: &Callback) -> String {
    match order {
        WorkOrder::None => alone(),
        WorkOrder::Chat => by_chat(callback),
        WorkOrder::Pointer(pointer) => {
            let found = serde_json::from_slice::<Value>(&callback.body_bytes()).ok();
            let value = found.as_ref().and_then(|body| body.pointer(pointer));
            match value {
                Some(Value::String(text)) if !text.is_empty() => named("key", text),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                    named("key", &value.to_string())
                }
                _ => by_chat(callback),
            }
        }
    }
}

fn by_chat(callback: &Callback) -> String {
    let Body::Other(event) = &callback.body else { return alone() };
    let known = |id: Option<String>| id.filter(|id| !id.is_empty());
    let EventIds { open_id, chat } = EventIds::of(event);
    match (known(chat), known(open_id)) {
        (Some(chat), _) => named("chat", &chat),
        (None, Some(open_id)) => named("user", &open_id),
        (None, None) => alone(),
    }
}

fn named(kind: &str, value: &str) -> String {
    if value.len() <= LONGEST {
        format!("{kind}/{value}")
    } else {
        format!("{kind}/{}", blake3::hash(value.as_bytes()).to_hex())
    }
}

/// Returns the name of a lane that no other entry has.
fn alone() -> String {
    format!("alone/{:032x}", fastrand::u128(..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::plain;

    fn event(event: &str) -> Callback {
        let body = format!(
            r#"{{"schema":"2.0","header":{{"event_type":"im.message.receive_v1"}},"event":{event}}}"#
        );
        plain::read(body.into()).unwrap()
    }

    #[test]
    fn a_chat_is_a_lane_and_a_person_where_there_is_none() {
        let said = r#"{"sender":{"sender_id":{"open_id":"ou_1"}},"message":{"chat_id":"oc_1","root_id":"om_1"}}"#;
        assert_eq!(lane(&WorkOrder::Chat, &event(said)), "chat/oc_1");
        assert_eq!(
            lane(&WorkOrder::Chat, &event(r#"{"operator_id":{"open_id":"ou_1"}}"#)),
            "user/ou_1"
        );
        let root = WorkOrder::Pointer("/event/message/root_id".to_owned());
        assert_eq!(lane(&root, &event(said)), "key/om_1");
        assert_eq!(
            lane(&root, &event(r#"{"message":{"chat_id":"oc_1","root_id":""}}"#)),
            "chat/oc_1"
        );
        for (order, body) in [(&WorkOrder::None, said), (&WorkOrder::Chat, "{}")] {
            assert_ne!(lane(order, &event(body)), lane(order, &event(body)), "no two share one");
        }
    }
}
