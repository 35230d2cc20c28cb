//! Fuzzes the check `exchange_info`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine_fuzz::check("exchange_info", data));
