//! Answers with a number that stands in its data, so that a test makes as many versions as it likes by writing another
//! number over it.

use std::hint::black_box;

use aviary_sdk::Toast;

/// What a test looks for in the file.
static NUMBER: &str = "number:00000000";

aviary_sdk::export!(card_action: |_| Ok(Toast::info(black_box(NUMBER)).into()));
