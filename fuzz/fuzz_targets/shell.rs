//! See `targets_shared/shell.rs` for what is held.
#![no_main]

#[path = "../targets_shared/shell.rs"]
mod shell;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shell::hold(bytes));
