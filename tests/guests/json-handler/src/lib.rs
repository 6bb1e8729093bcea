//! Takes any callback as JSON and answers with the JSON it got. `"please"` in the event selects other behaviour.

use std::time::Duration;

use aviary_sdk::Failure;
use aviary_sdk::Header;
use aviary_sdk::serde_json;
use aviary_sdk::serde_json::Value;
use aviary_sdk::serde_json::json;

aviary_sdk::export!(callback: answer);

fn answer(header: Header, event: String) -> Result<String, Failure> {
    let event: Value = serde_json::from_str(&event)?;
    match event.get("please").and_then(Value::as_str) {
        Some("trap") => panic!("as asked"),
        Some("fail") => return Err(Failure::internal("as asked")),
        Some("sleep") => std::thread::sleep(Duration::from_secs(4)),
        Some("answer badly") => return Ok("{not json".to_owned()),
        _ => {}
    }
    Ok(json!({ "event_type": header.event_type, "event": event }).to_string())
}
