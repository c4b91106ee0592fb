//! See `targets_shared/hello.rs` for what is held.
#![no_main]

#[path = "../targets_shared/hello.rs"]
mod hello;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hello::hold(bytes));
