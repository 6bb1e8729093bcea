//! Answers `profile.view.get`, a callback type that the contract has no types for: JSON in and JSON out.
//! A handler that already speaks the platform's JSON moves over in the same way.

use aviary_sdk::card::{CardBuilder, CardHeader};
use aviary_sdk::serde_json::{self, Value, json};
use aviary_sdk::{Failure, Header, Info, Route};

aviary_sdk::export!(callback: on_callback, info: describe);

fn describe() -> Info {
    Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .route(Route::default().event_type("profile.view.get"))
}

fn on_callback(header: Header, event: String) -> Result<String, Failure> {
    let event: Value = serde_json::from_str(&event)?;
    let viewer = event.pointer("/operator/open_id").and_then(Value::as_str).unwrap_or("?");
    let card = CardBuilder::new()
        .header(CardHeader::new("Profile"))
        .markdown(format!("Viewed by <at id={viewer}></at>"))
        .text(format!("Tenant {}", header.tenant_key));
    Ok(json!({"card": {"type": "raw", "data": card.into_json()}}).to_string())
}
