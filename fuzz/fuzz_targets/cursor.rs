//! See `targets_shared/cursor.rs` for what is held.
#![no_main]

#[path = "../targets_shared/cursor.rs"]
mod cursor;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cursor::hold(bytes));
