//! toolgate: one door between an agent runtime and everything it can touch.
//!
//! Every tool call is turned into the same few words, judged by the same policy, written to the
//! same log, and only then let through. `gate` is that sentence; `src/README.md` is the map.
//! The modules stand in floor order: each imports only from those above it in this list.
#![forbid(unsafe_code)]

pub mod limits;
pub mod model;

pub mod catalogue;
pub mod policy;
pub mod redact;
pub mod shell;

pub mod engine;
pub mod world;

pub mod facts;

pub mod audit;
pub mod metrics;
pub mod session;

pub mod calls;

pub mod gate;

pub mod plane;

pub mod author;
pub mod review;
pub mod service;
pub mod wiring;

pub mod doctor;

pub mod cli;
