//! Fuzzes the check `exchange_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shells_fuzz::check("exchange_json", data));
