//! Passes the fuzzer\'s bytes to `aviary::fuzzing::code_cache`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::code_cache(bytes));
