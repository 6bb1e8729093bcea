//! Counts the non-zero bytes of its static memory. `fill` makes all of them non-zero, and then waits for the milliseconds in the
//! setting `millis`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::config;
use aviary_sdk::log;

const WORDS: usize = (4 << 20) / size_of::<u64>();

static MEMORY: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let mut found = 0;
    for word in &MEMORY {
        found +=
            word.load(Ordering::Relaxed).to_ne_bytes().iter().filter(|byte| **byte != 0).count();
    }
    if action.action.name.as_deref() == Some("fill") {
        for word in &MEMORY {
            word.store(u64::MAX, Ordering::Relaxed);
        }
        log::info("filled");
        let millis = config::get("millis")?.and_then(|text| text.parse().ok()).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(millis));
    }
    Ok(Toast::info(found.to_string()).into())
}
