//! See `targets_shared/index.rs` for what is held.
#![no_main]

#[path = "../targets_shared/index.rs"]
mod index;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| index::hold(bytes));
