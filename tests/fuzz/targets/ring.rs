//! Passes the fuzzer\'s bytes to `aviary::fuzzing::ring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::ring(bytes));
