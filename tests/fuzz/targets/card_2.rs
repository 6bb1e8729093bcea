//! See `aviary::fuzzing::card_2`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::card_2(bytes));
