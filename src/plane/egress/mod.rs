//! The network plane: a proxy that judges every connection by the `[connect]` rules, dials only
//! the addresses that it vetted itself, and writes one record before the dial and one after.
//!
//! The checks come in one order, and the first that refuses gives the reason: parse, deny, allow,
//! port, DNS, address, dial, TLS, HTTP inside. A denied name is never looked up.

pub mod answer;
pub mod bridge;
pub mod client_hello;
pub mod credential;
pub mod dial;
pub mod dns;
mod entry;
pub mod environment;
mod exchange;
mod forward;
pub mod framing;
pub mod gateway;
pub mod head;
pub mod headers;
pub mod intercept;
pub mod path;
pub mod relay;
pub mod resolve;
pub mod server;
pub mod settings;
pub mod socket;
mod socks;
pub mod socks5;
pub mod stub;
pub mod token;
pub mod trust;
mod tunnel;
mod upstream;
pub mod vet;
pub mod wire;

pub use crate::model::reason;
