//! Claude Code: its settings as they lie there, and whether they hold.

pub(super) mod client;
pub(super) mod settings;
pub(super) mod wiring;
