//! Answers with every source of data that differs between two calls: clocks, randomness, the time left, its bucket, the
//! platform's answers, and another server. It also loops as often as the clock says, so that its fuel differs as well.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::time::Instant;
use std::time::SystemTime;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::config;
use aviary_sdk::http;
use aviary_sdk::key_value::Bucket;
use aviary_sdk::open_api;
use aviary_sdk::open_api::ApiRequest;
use aviary_sdk::request;
use aviary_sdk::serde_json::json;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let began = Instant::now();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    for step in 0..now.subsec_micros() % 1000 {
        black_box(step);
    }
    let random = RandomState::new().hash_one(0);
    let clicks = Bucket::open()?.increment("clicks", 1)?;
    let left = request::remaining().as_millis();
    let message =
        json!({ "receive_id": action.operator.open_id, "msg_type": "text", "content": "{}" });
    let asking =
        ApiRequest::post("/open-apis/im/v1/messages", &message).query("receive_id_type", "open_id");
    let said = match open_api::call(&asking) {
        Ok(response) => format!("{} {}", response.status, response.body),
        Err(error) => format!("{error:?}"),
    };
    let page = http::get(&format!("{}{clicks}", config::get("pages")?.unwrap_or_default()));
    let page = page.map_or_else(|error| error.to_string(), |page| page.text());
    let took = began.elapsed().as_nanos();
    let who = action.operator.open_id;
    let told = format!("{who} {clicks} {random} {left} {took} {} {said} {page}", now.as_nanos());
    Ok(Toast::info(told).into())
}
