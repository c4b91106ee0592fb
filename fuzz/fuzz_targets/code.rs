//! See `targets_shared/code.rs` for what is held.
#![no_main]

#[path = "../targets_shared/code.rs"]
mod code;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| code::hold(bytes));
