//! Fuzzes the check `user_data`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine_fuzz::check("user_data", data));
