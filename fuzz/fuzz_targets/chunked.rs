//! See `targets_shared/chunked.rs` for what is held.
#![no_main]

#[path = "../targets_shared/chunked.rs"]
mod chunked;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chunked::hold(bytes));
