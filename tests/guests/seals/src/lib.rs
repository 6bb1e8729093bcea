//! Answers a click named `make` with a sealed value on the terms in its own value, and any other click with the value it carries.

use std::time::Duration;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::sealed::Seal;
use aviary_sdk::sealed::SealError;
use aviary_sdk::sealed::require;
use aviary_sdk::serde_json::Value;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let asked = action.action.value_json().unwrap_or_default();
    let said = match action.action.name.as_deref() {
        Some("make") => {
            seal(&asked).map_or_else(|error| format!("{error:?}"), |value| value.to_string())
        }
        Some("strict") => {
            require()?;
            "sealed".to_owned()
        }
        Some("fail") => return Err(Failure::internal("as asked")),
        _ => format!("order {}", asked["order"]),
    };
    Ok(Toast::success(said).into())
}

fn seal(asked: &Value) -> Result<Value, SealError> {
    let secs = asked["secs"].as_u64().unwrap_or(60);
    let mut seal = Seal::for_time(Duration::from_secs(secs));
    if let Some(open_id) = asked["only"].as_str() {
        seal = seal.only(open_id);
    }
    if asked["once"] == true {
        seal = seal.once();
    }
    seal.value(&asked["value"])
}
