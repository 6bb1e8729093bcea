//! Answers with a toast and asks for the card to be changed afterwards. A button named `thrice` asks once too often.

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::deferred;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let times = if action.action.name.as_deref() == Some("thrice") { 3 } else { 1 };
    let card = r#"{"schema":"2.0","body":{"elements":[{"tag":"markdown","content":"deferred"}]}}"#;
    let outcomes =
        (0..times).map(|_| format!("{:?}", deferred::update_card(Card::Raw(card.to_owned()))));
    Ok(Toast::info(outcomes.collect::<Vec<_>>().join(" ")).into())
}
