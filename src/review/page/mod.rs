//! Pages that are one file: the report, and a session. They hold all they need and run nothing.
//!
//! A strict policy stands at their head: nothing is loaded, no script runs, and the one style sheet
//! is known by its hash. Templates escape whatever is written in; before that it goes through
//! `visible::plain`, since a browser shows bidirectional text as it is told to.

mod report;
mod session;
pub mod svg;

pub use report::report;
pub use session::session;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The style of all pages, light and dark, for screens and for paper.
pub const STYLE: &str = include_str!("style.css");

/// What a page that is a file of its own allows itself: its style sheet, and nothing else.
#[must_use]
pub fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}
