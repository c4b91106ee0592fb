//! See `targets_shared/one_host.rs` for what is held.
#![no_main]

#[path = "../targets_shared/one_host.rs"]
mod one_host;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| one_host::hold(bytes));
