//! See `targets_shared/sealed.rs` for what is held.
#![no_main]

#[path = "../targets_shared/sealed.rs"]
mod sealed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sealed::hold(bytes));
