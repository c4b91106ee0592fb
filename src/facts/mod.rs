//! From a call to what it would do: catalogue, paths, commands and hosts.
//!
//! `gather` never fails and never leaves anything out in silence: what it does not understand
//! becomes an access with a doubt, and the policy says what that costs.

mod brought;
pub mod commands;
mod extension;
pub mod gather;
mod narrow;
pub mod patch;
pub mod paths;
mod place;
mod repository;
mod twins;

pub use extension::carried;
pub use gather::gather;
pub use place::Place;
