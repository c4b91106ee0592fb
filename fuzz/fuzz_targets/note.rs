//! See `targets_shared/note.rs` for what is held.
#![no_main]

#[path = "../targets_shared/note.rs"]
mod note;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| note::hold(bytes));
