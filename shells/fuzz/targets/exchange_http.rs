//! Fuzzes the check `exchange_http`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shells_fuzz::check("exchange_http", data));
