//! See `targets_shared/visible.rs` for what is held.
#![no_main]

#[path = "../targets_shared/visible.rs"]
mod visible;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| visible::hold(bytes));
