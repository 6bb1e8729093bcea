//! Counts its calls in a static and answers with the count, unless its button says how the call is to end.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;

static CALLS: AtomicU32 = AtomicU32::new(0);
const MEBIBYTE: usize = 1024 * 1024;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    match action.action.name.as_deref() {
        Some("trap") => std::process::abort(),
        Some("spin") => loop {
            std::hint::black_box(calls);
        },
        Some("hang") => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        Some("eat") => loop {
            std::mem::forget(std::hint::black_box(vec![1_u8; MEBIBYTE]));
        },
        Some("leak") => std::mem::forget(std::hint::black_box(vec![1_u8; 8 * MEBIBYTE])),
        Some("fail") => return Err(Failure::Internal("as asked".to_owned())),
        _ => {}
    }
    Ok(Toast::info(calls.to_string()).into())
}
