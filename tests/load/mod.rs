//! Parts of `hook_load.rs`.

pub mod agent;
pub mod ledger;
pub mod wire;
