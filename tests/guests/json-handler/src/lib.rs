//! Takes any callback as JSON and answers with the JSON it got, or with `"answer"` from the event. `"please"` in the event
//! selects other behaviour.

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
        Some("tell the user") => return Err(Failure::user("not like this")),
        Some("sleep") => std::thread::sleep(Duration::from_secs(4)),
        Some("answer badly") => return Ok("{not json".to_owned()),
        _ => {}
    }
    if let Some(answer) = event.get("answer") {
        return Ok(answer.to_string());
    }
    Ok(json!({ "event_type": header.event_type, "event": event }).to_string())
}
