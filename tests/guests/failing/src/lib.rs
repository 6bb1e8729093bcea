//! Fails in every handler, with words for the log; a button named `user` gets words for the user, and one named `long` has
//! the log get far too many of them.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;

const FOR_THE_LOG: &str = "the budget service is down";
/// A line that ends in the middle, clears the screen, and reads from right to left.
const LONG: &str = "down\n\u{1b}[2J\u{202e}\u{2028}\u{9b}";

aviary_sdk::export!(
    card_action: click,
    link_preview: |_| Err(Failure::internal(FOR_THE_LOG)),
    legacy_card: |_| Err(Failure::internal(FOR_THE_LOG)),
    event: |_| Err(Failure::internal(FOR_THE_LOG)),
);

fn click(action: CardAction) -> Result<CardReply, Failure> {
    match action.action.name.as_deref() {
        Some("user") => Err(Failure::user("Ask your manager first")),
        Some("long") => Err(Failure::internal(LONG.repeat(250_000 / LONG.len()))),
        _ => Err(Failure::internal(FOR_THE_LOG)),
    }
}
