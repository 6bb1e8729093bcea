//! Burns fuel in every handler and never returns.

use std::hint::black_box;

aviary_sdk::export!(
    card_action: |_| spin(),
    link_preview: |_| spin(),
    legacy_card: |_| spin(),
    event: |_| spin(),
);

fn spin() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}
