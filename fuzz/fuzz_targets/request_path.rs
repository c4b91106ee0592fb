//! See `targets_shared/request_path.rs` for what is held.
#![no_main]

#[path = "../targets_shared/request_path.rs"]
mod request_path;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| request_path::hold(bytes));
