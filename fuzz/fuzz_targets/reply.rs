//! See `targets_shared/reply.rs` for what is held.
#![no_main]

#[path = "../targets_shared/reply.rs"]
mod reply;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reply::hold(bytes));
