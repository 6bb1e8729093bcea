//! Takes the clicks whose value says `"kind": "runaway"`, and never answers. The host answers in its place,
//! on time, and no other plugin notices.

use std::hint::black_box;

use aviary_sdk::{CardAction, CardReply, Failure, Info, Route};

aviary_sdk::export!(card_action: on_click, info: describe);

fn describe() -> Info {
    Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .route(Route::default().value_at("/kind", "runaway"))
}

fn on_click(_action: CardAction) -> Result<CardReply, Failure> {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
