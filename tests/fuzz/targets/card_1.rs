//! See `aviary::fuzzing::card_1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::card_1(bytes));
