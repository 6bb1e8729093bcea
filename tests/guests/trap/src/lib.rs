//! Traps in every handler.

aviary_sdk::export!(
    card_action: |_| panic!("a guest's own words, which no user may see"),
    link_preview: |_| panic!("a preview that traps"),
    legacy_card: |_| panic!("an old card that traps"),
    event: |_| panic!("an event that traps"),
);
