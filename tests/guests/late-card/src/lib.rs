//! Answers with a card after the time in the setting `millis`: too late for the answer, in time for an update.

use std::time::Duration;

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::config;

aviary_sdk::export!(card_action: answer);

fn answer(_: CardAction) -> Result<CardReply, Failure> {
    let millis = config::get("millis")?.and_then(|text| text.parse().ok()).unwrap_or(1000);
    std::thread::sleep(Duration::from_millis(millis));
    let card = r#"{"schema":"2.0","body":{"elements":[{"tag":"markdown","content":"late"}]}}"#;
    Ok(CardReply { toast: Some(Toast::success("late")), card: Some(Card::Raw(card.to_owned())) })
}
