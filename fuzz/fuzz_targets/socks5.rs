//! See `targets_shared/socks5.rs` for what is held.
#![no_main]

#[path = "../targets_shared/socks5.rs"]
mod socks5;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| socks5::hold(bytes));
