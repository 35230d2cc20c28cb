//! Fuzzes the check `exchange_form`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shells_fuzz::check("exchange_form", data));
