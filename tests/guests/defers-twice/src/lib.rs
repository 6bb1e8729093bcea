//! Answers with a toast and asks for two cards to be shown afterwards: `first`, then `second`. A button with another
//! name than `b` has that name in both.

use aviary_sdk::Card;
use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::deferred;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let button = action.action.name.unwrap_or_default();
    for which in ["first", "second"] {
        let card = format!(
            r#"{{"schema":"2.0","body":{{"elements":[{{"tag":"markdown","content":"{which} {button}"}}]}}}}"#
        );
        deferred::update_card(Card::Raw(card))
            .map_err(|error| Failure::internal(format!("{error:?}")))?;
    }
    Ok(Toast::info("more will follow").into())
}
