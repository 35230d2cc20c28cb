//! Fuzzes the check `mappings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| engine_fuzz::check("mappings", data));
