//! See `targets_shared/engine.rs` for what is held.
#![no_main]

#[path = "../targets_shared/engine.rs"]
mod engine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engine::hold(bytes));
