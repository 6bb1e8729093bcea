//! Answers with a toast of a hundred megabytes.

use aviary_sdk::Toast;

aviary_sdk::export!(card_action: |_| Ok(Toast::info("x".repeat(100 * 1000 * 1000)).into()));
