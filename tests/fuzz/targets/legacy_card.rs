//! Passes the fuzzer\'s bytes to `aviary::fuzzing::legacy_card`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::legacy_card(bytes));
