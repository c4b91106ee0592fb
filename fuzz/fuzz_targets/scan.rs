//! See `targets_shared/scan.rs` for what is held.
#![no_main]

#[path = "../targets_shared/scan.rs"]
mod scan;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scan::hold(bytes));
