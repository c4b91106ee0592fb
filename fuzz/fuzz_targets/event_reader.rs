//! See `targets_shared/event_reader.rs` for what is held.
#![no_main]

#[path = "../targets_shared/event_reader.rs"]
mod event_reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| event_reader::hold(bytes));
