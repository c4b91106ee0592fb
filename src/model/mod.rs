//! The words of the product: what is asked, what it would do, what a rule says, what is decided.
//!
//! Everything here is a plain value: parsed once at the edge into a type that cannot be wrong, and
//! never parsed again. No file, socket, clock or environment is touched on this floor.

pub mod access;
pub mod address;
pub mod call;
pub mod decision;
pub mod doubt;
pub mod effect;
pub mod entropy;
pub mod facts;
pub mod finding;
pub mod host;
pub mod json;
pub mod path;
pub mod principal;
pub mod reason;
pub mod record;
pub mod secrets;
pub mod session;
pub mod time;
pub mod told;
pub mod truth;
pub mod url;
pub mod word;
