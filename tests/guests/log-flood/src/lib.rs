//! Floods the log: many lines, and one very long one.

use aviary_sdk::Toast;
use aviary_sdk::log;

const LINES: usize = 20_000;
const LONG: usize = 4 * 1024 * 1024;

aviary_sdk::export!(card_action: |_| {
    log::info("L".repeat(LONG));
    for line in 0..LINES {
        log::info(format_args!("flood {line}"));
    }
    Ok(Toast::info("flooded").into())
});
