//! The network plane: a proxy that judges every connection by the `[connect]` rules, dials only
//! the addresses that it vetted itself, and writes one record before the dial and one after.
//!
//! The checks come in one order, and the first that refuses gives the reason: parse, deny, allow,
//! port, DNS, address, dial, TLS, HTTP inside. A denied name is never looked up.

pub mod bridge;
pub mod environment;
pub mod framing;
pub mod head;
pub mod headers;

pub use crate::model::reason;
