//! See `targets_shared/http.rs` for what is held.
#![no_main]

#[path = "../targets_shared/http.rs"]
mod http;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| http::hold(bytes));
