//! See `aviary::fuzzing::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::frame(bytes));
