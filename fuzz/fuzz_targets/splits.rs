#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| binlog_fuzz::splits(data));
