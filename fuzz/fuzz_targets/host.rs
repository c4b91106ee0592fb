//! See `targets_shared/host.rs` for what is held.
#![no_main]

#[path = "../targets_shared/host.rs"]
mod host;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| host::hold(bytes));
