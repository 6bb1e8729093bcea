//! Answers with a number from its data section, so that a test makes as many versions as it likes by overwriting the number.

use std::hint::black_box;

use aviary_sdk::Toast;

/// Marker that a test searches for in the file.
static NUMBER: &str = "number:00000000";

aviary_sdk::export!(card_action: |_| Ok(Toast::info(black_box(NUMBER)).into()));
