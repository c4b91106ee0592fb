//! The wiring of a runtime: its settings, so that it asks the guard and is held where it cannot.
//!
//! `claude` and `codex` say what stands in the settings; they edit texts and touch nothing.
//! `place` knows where settings lie and what each place cannot hold, `client` and `binary` look at
//! the two programs, and `file` writes: in one step, with a backup, and back again. The caller is
//! `toolgate init`, which shows every change before it is made.

pub mod binary;
pub mod claude;
pub mod client;
pub mod codex;
pub mod diff;
mod entries;
pub mod file;
mod json;
pub mod place;
pub mod plan;
mod toml;

pub use entries::TOKEN_VARIABLE;
pub use json::Unfit;

use crate::model::principal::Runtime;
use std::time::Duration;

/// The hook client as the runtime is to start it. Everything is an argument: the environment of a
/// hook is the project's to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where the program lies for the agent; an absolute path.
    pub binary: String,
    /// Where the sidecar listens.
    pub socket: String,
    /// Who must be listening there.
    pub server_uid: u32,
    /// When the client gives up and denies.
    pub deadline: Duration,
}

impl Hook {
    /// The arguments after the program's name.
    #[must_use]
    pub fn arguments(&self, runtime: Runtime) -> Vec<String> {
        let deadline = self.deadline.as_millis().to_string();
        let uid = self.server_uid.to_string();
        let words = ["hook", runtime.as_str(), "--socket", &self.socket, "--server-uid", &uid];
        words.into_iter().chain(["--deadline", &deadline]).map(str::to_owned).collect()
    }
}

/// Something that the person who wires should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether it weakens the wiring.
    pub is_warning: bool,
    /// One sentence.
    pub text: String,
}

impl Note {
    /// Something that weakens the wiring.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Note {
        Note { is_warning: true, text: text.into() }
    }

    /// Something to know.
    #[must_use]
    pub fn info(text: impl Into<String>) -> Note {
        Note { is_warning: false, text: text.into() }
    }
}
