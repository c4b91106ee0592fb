//! See `targets_shared/head.rs` for what is held.
#![no_main]

#[path = "../targets_shared/head.rs"]
mod head;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| head::hold(bytes));
