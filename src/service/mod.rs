//! The sidecar as a service: its configuration, its start, its listeners and its end.

pub mod admin;
mod beside;
pub mod config;
mod egress;
mod http;
pub mod layers;
pub mod load;
mod memory;
mod model;
mod notify;
pub mod protect;
pub mod reload;
mod review;
pub mod socket;
pub mod supervise;
