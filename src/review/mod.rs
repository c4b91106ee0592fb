//! For the person who reads the log: what is shown, and that it does no harm.

pub mod visible;
pub mod web;
