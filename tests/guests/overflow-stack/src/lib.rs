//! Recurses until the stack overflows.

use std::hint::black_box;

use aviary_sdk::CardReply;

aviary_sdk::export!(card_action: |action| Ok(CardReply::toast(aviary_sdk::Toast::info(dig(&action.update_token, 0).to_string()))));

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn dig(text: &str, depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    black_box(dig(black_box(text), depth + 1)) + frame[0]
}
