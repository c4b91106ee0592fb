//! The hook plane: the runtime's own events, over a Unix socket or HTTP.
//!
//! The runtime starts `toolgate hook RUNTIME` for each event; that client hands the event to the
//! sidecar and prints the runtime's own answer. `protocol` is what the two say to each other,
//! `runtime` what each runtime sends and understands, `door` the one way from a listener to the
//! gate, `answer` the last look at what a runtime is told. Whatever fails, the answer is a denial.

pub mod answer;
pub mod client;
pub mod door;
pub mod events;
pub mod glimpse;
pub mod http;
pub mod limit;
pub mod mention;
pub mod protocol;
pub mod runtime;
pub mod server;
pub mod wiring;
