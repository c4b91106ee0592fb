//! See `targets_shared/patch.rs` for what is held.
#![no_main]

#[path = "../targets_shared/patch.rs"]
mod patch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| patch::hold(bytes));
