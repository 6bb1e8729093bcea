//! Passes the fuzzer\'s bytes to `lark_wire::fuzzing::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lark_wire::fuzzing::frame(bytes));
