//! Takes any callback as JSON and answers with the JSON it got. `"please"` in the event selects other behaviour. A `"reply"` in
//! the event is text, and the answer.

use std::time::Duration;

use aviary_sdk::Failure;
use aviary_sdk::Header;
use aviary_sdk::serde_json;
use aviary_sdk::serde_json::Value;
use aviary_sdk::serde_json::json;

aviary_sdk::export!(callback: answer);

fn answer(header: Header, event: String) -> Result<String, Failure> {
    // Before anything is parsed, because parsing changes numbers.
    if event.contains("show what you got") {
        return Ok(json!({ "toast": { "type": "info", "content": event } }).to_string());
    }
    let event: Value = serde_json::from_str(&event)?;
    if let Some(reply) = event.get("reply").and_then(Value::as_str) {
        return Ok(reply.to_owned());
    }
    match event.get("please").and_then(Value::as_str) {
        Some("trap") => panic!("as asked"),
        Some("fail") => return Err(Failure::internal("as asked")),
        Some("sleep") => std::thread::sleep(Duration::from_secs(4)),
        Some("answer badly") => return Ok("{not json".to_owned()),
        _ => {}
    }
    Ok(json!({ "event_type": header.event_type, "event": event }).to_string())
}
