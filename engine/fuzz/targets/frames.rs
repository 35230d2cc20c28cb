//! Fuzzes the check `frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine_fuzz::check("frames", data));
