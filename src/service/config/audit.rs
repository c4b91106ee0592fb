//! `[audit]`: where the log is, and how firmly it is kept.

use serde::Deserialize;
use std::path::PathBuf;

/// `[audit]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Where the log is written.
    pub dir: Option<PathBuf>,
}
