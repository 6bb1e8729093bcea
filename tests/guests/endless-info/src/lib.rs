//! Never returns its plugin-info.

use aviary_sdk::Toast;

aviary_sdk::export!(
    card_action: |_| Ok(Toast::info("unreachable").into()),
    info: || loop { std::hint::black_box(()); },
);
