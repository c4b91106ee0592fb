//! See `targets_shared/path.rs` for what is held.
#![no_main]

#[path = "../targets_shared/path.rs"]
mod path;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| path::hold(bytes));
