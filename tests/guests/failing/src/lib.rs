//! Fails in every handler, with words for the log; a button named `user` gets words for the user.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;

const FOR_THE_LOG: &str = "the budget service is down";

aviary_sdk::export!(
    card_action: click,
    link_preview: |_| Err(Failure::internal(FOR_THE_LOG)),
    legacy_card: |_| Err(Failure::internal(FOR_THE_LOG)),
    event: |_| Err(Failure::internal(FOR_THE_LOG)),
);

fn click(action: CardAction) -> Result<CardReply, Failure> {
    match action.action.name.as_deref() {
        Some("user") => Err(Failure::user("Ask your manager first")),
        _ => Err(Failure::internal(FOR_THE_LOG)),
    }
}
