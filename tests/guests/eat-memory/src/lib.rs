//! Takes memory until there is none left, and touches every page of it.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;

const MEBIBYTE: usize = 1024 * 1024;

aviary_sdk::export!(card_action: eat);

fn eat(_: CardAction) -> Result<CardReply, Failure> {
    let mut eaten = Vec::new();
    loop {
        eaten.push(std::hint::black_box(vec![1_u8; MEBIBYTE]));
    }
}
