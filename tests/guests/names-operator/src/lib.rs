//! The plugin that the benchmark measures: answers a click with a toast that names the user.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;

aviary_sdk::export!(card_action: on_click);

fn on_click(action: CardAction) -> Result<CardReply, Failure> {
    Ok(Toast::info(format!("Clicked by {}", action.operator.open_id)).into())
}
