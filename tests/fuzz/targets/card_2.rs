//! Passes the fuzzer\'s bytes to `lark_card::fuzzing::card_2`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lark_card::fuzzing::card_2(bytes));
