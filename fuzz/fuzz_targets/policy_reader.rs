//! See `targets_shared/policy_reader.rs` for what is held.
#![no_main]

#[path = "../targets_shared/policy_reader.rs"]
mod policy_reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| policy_reader::hold(bytes));
