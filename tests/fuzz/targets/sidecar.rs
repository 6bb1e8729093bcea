//! Passes the fuzzer\'s bytes to `aviary::fuzzing::sidecar`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::sidecar(bytes));
