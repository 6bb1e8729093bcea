//! Calls the host for ever and does nothing else, so that it executes almost no instructions of its own.

use aviary_sdk::CardReply;
use aviary_sdk::Toast;
use aviary_sdk::request;

aviary_sdk::export!(card_action: |_| {
    let mut left = request::remaining();
    // Never true: the time left cannot grow.
    while left <= request::remaining().max(left) {
        left = request::remaining();
    }
    Ok(CardReply::toast(Toast::info("the clock ran backwards")))
});
