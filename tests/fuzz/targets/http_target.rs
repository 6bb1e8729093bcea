//! Passes the fuzzer\'s bytes to `aviary::fuzzing::http_target`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::http_target(bytes));
