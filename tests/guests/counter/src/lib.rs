//! Counts its calls in a static, and answers with the count: always 1 if every callback gets a fresh instance.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use aviary_sdk::Toast;

static CALLS: AtomicU32 = AtomicU32::new(0);

aviary_sdk::export!(card_action: |_| {
    Ok(Toast::info((CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string()).into())
});
