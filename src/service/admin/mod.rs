//! The operator's door: what a running sidecar is asked and told by the person who runs it.
//!
//! A Unix socket of its own, which no agent may reach: only the sidecar's own user and root are
//! answered, and the floor of every policy holds agents off it. One line of JSON in, one out.

mod client;
mod http;
mod label;
mod log;
mod protocol;
mod server;

pub use client::ask;
pub(super) use http::serve as serve_http;
pub use label::{Change, LabelChange};
pub use protocol::{
    Audit, Connections, Erase, Erased, Health, Layer, Policy, Reload, Reloaded, Reply, Request,
    Status,
};
pub(super) use server::{Server, operators};
