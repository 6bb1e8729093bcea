//! Answers with a toast of a mebibyte.

use aviary_sdk::Toast;

aviary_sdk::export!(card_action: |_| Ok(Toast::info("x".repeat(1024 * 1024)).into()));
