//! Passes the fuzzer\'s bytes to `aviary::fuzzing::reassembly`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aviary::fuzzing::reassembly(bytes));
