//! See `targets_shared/tables.rs` for what is held.
#![no_main]

#[path = "../targets_shared/tables.rs"]
mod tables;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tables::hold(bytes));
