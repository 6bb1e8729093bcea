//! Keeps the host busy instead of itself: logs the same long text again and again, which costs the guest a few instructions and
//! the host a copy.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
// The SDK's own functions copy the text first, which costs the guest fuel; a hostile guest avoids them.
use aviary_sdk::bindings::wasi::logging::logging::Level;
use aviary_sdk::bindings::wasi::logging::logging::log;

const LONG: usize = 16 * 1024 * 1024;

aviary_sdk::export!(card_action: shout);

fn shout(_: CardAction) -> Result<CardReply, Failure> {
    let text = "A".repeat(LONG);
    loop {
        log(Level::Info, "", &text);
    }
}
