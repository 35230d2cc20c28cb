//! Fuzzes the check `records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine_fuzz::check("records", data));
