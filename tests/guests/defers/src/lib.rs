//! Answers with a toast and asks for the card to be changed afterwards. A button named `thrice` asks once too often. The
//! setting `millis` says how long it takes to answer.

use std::time::Duration;

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::config;
use aviary_sdk::deferred;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    if let Some(millis) = config::get("millis")?.and_then(|text| text.parse().ok()) {
        std::thread::sleep(Duration::from_millis(millis));
    }
    let times = if action.action.name.as_deref() == Some("thrice") { 3 } else { 1 };
    let card = r#"{"schema":"2.0","body":{"elements":[{"tag":"markdown","content":"deferred"}]}}"#;
    let outcomes =
        (0..times).map(|_| format!("{:?}", deferred::update_card(Card::Raw(card.to_owned()))));
    Ok(Toast::info(outcomes.collect::<Vec<_>>().join(" ")).into())
}
