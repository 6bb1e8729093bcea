//! Creates timers and never releases them: each takes a little of the host's own memory.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use wasip2::clocks::monotonic_clock::subscribe_duration;

/// Far in the future, in nanoseconds.
const A_YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;

aviary_sdk::export!(card_action: hoard);

fn hoard(_: CardAction) -> Result<CardReply, Failure> {
    loop {
        std::mem::forget(subscribe_duration(A_YEAR));
    }
}
