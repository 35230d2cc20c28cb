//! Fuzzes the check `requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine_fuzz::check("requests", data));
