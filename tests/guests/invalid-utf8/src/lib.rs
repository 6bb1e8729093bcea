//! Answers with a text that is not valid UTF-8.

use aviary_sdk::Toast;

aviary_sdk::export!(card_action: |_| Ok(Toast::info(no_text()).into()));

#[allow(
    unsafe_code,
    reason = "a Rust guest has no other way to break the contract's rule for text"
)]
fn no_text() -> String {
    // SAFETY: nothing in this guest reads the text; it goes to the host unchanged.
    unsafe { String::from_utf8_unchecked(vec![b'x', 0xff, 0xfe, b'x']) }
}
