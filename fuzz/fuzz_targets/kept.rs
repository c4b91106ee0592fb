//! See `targets_shared/kept.rs` for what is held.
#![no_main]

#[path = "../targets_shared/kept.rs"]
mod kept;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kept::hold(bytes));
