//! Answers "b". A button named `slow` is answered after a while, so that a test can change plugins in the meantime.

use std::time::Duration;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;

/// Long enough to overwrite a file and see the host load it, short of the deadline.
const A_WHILE: Duration = Duration::from_millis(1500);

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    if action.action.name.as_deref() == Some("slow") {
        std::thread::sleep(A_WHILE);
    }
    Ok(Toast::info("b").into())
}
