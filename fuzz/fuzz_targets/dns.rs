//! See `targets_shared/dns.rs` for what is held.
#![no_main]

#[path = "../targets_shared/dns.rs"]
mod dns;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dns::hold(bytes));
