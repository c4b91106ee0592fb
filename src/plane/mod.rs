//! The places that stop or let through. Planes never talk to each other; they share the gate.

pub mod egress;
pub mod hook;
