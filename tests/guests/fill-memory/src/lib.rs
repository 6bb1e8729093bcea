//! Does much with few instructions: fills the same big block of memory again and again.

use std::hint::black_box;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;

const BLOCK: usize = 32 * 1024 * 1024;

aviary_sdk::export!(card_action: fill);

fn fill(_: CardAction) -> Result<CardReply, Failure> {
    let mut block = vec![0_u8; BLOCK];
    let mut round = 0_u8;
    loop {
        round = round.wrapping_add(1);
        black_box(&mut block).fill(round);
    }
}
