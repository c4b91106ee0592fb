//! The hook plane: the runtime's own events, over a Unix socket.
//!
//! The runtime starts `toolgate hook RUNTIME` for each event; that client hands the event to the
//! sidecar and prints the runtime's own answer. `protocol` is what the two say to each other,
//! `runtime` what each runtime sends and understands. Whatever fails, the answer is a denial.

pub mod client;
pub mod events;
pub mod protocol;
pub mod runtime;
pub mod server;
