//! See `aviary::fuzzing::grant`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::grant(bytes));
