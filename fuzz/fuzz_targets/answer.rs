//! See `targets_shared/answer.rs` for what is held.
#![no_main]

#[path = "../targets_shared/answer.rs"]
mod answer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    answer::hold(bytes);
});
