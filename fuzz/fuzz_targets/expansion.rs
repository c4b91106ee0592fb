//! See `targets_shared/expansion.rs` for what is held.
#![no_main]

#[path = "../targets_shared/expansion.rs"]
mod expansion;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| expansion::hold(bytes));
