//! A policy made from the lists that other guards of agents keep: Claude Code's settings,
//! sandbox-runtime's, Codex's network proxy's.
//!
//! What these say of hosts and sockets becomes `[connect]`, in the same meaning. Nothing is lost
//! on the way: what has no counterpart, or cannot be read, is told one by one.

mod claude;
mod codex;
mod lists;
mod text;

use lists::Lists;

/// Whose settings they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Claude Code's `settings.json`: `sandbox.network`, and permission rules on WebFetch.
    Claude,
    /// sandbox-runtime's settings: `network`.
    SandboxRuntime,
    /// Codex's `config.toml`: the lists of its network proxy.
    Codex,
}

/// What was made of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Whose they were.
    pub format: Format,
    /// A policy file.
    pub policy: String,
    /// What a person should know: how a key is meant here, or where it goes instead.
    pub notes: Vec<String>,
    /// What was not carried over.
    pub left_out: Vec<String>,
}

/// Why nothing could be made of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// They are neither JSON nor TOML.
    #[error("it is {0}, and neither settings in JSON nor a configuration in TOML")]
    Unreadable(String),
    /// They are no such settings.
    #[error("{0}")]
    Foreign(String),
}

impl Format {
    /// The word in arguments.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Claude => "claude",
            Format::SandboxRuntime => "sandbox-runtime",
            Format::Codex => "codex",
        }
    }

    /// What a person calls it.
    fn name(self) -> &'static str {
        match self {
            Format::Claude => "Claude Code's settings",
            Format::SandboxRuntime => "sandbox-runtime's settings",
            Format::Codex => "Codex's configuration",
        }
    }
}

/// Makes a policy of such settings; of which, shows from what stands in them if nobody says.
///
/// # Errors
/// If they cannot be read, or are none of these.
pub fn import(settings: &str, format: Option<Format>) -> Result<Imported, ImportError> {
    let json = || serde_json::from_str::<serde_json::Value>(settings);
    let toml = || settings.parse::<toml::Table>();
    let (format, lists) = match format {
        Some(Format::Codex) => (Format::Codex, codex::read(&toml().map_err(|e| bad(&e))?)?),
        Some(format) => (format, claude::read(&json().map_err(|e| bad(&e))?, format)?),
        None => match (json(), toml()) {
            (Ok(value), _) => {
                let format = claude::format_of(&value);
                (format, claude::read(&value, format)?)
            }
            (Err(_), Ok(table)) => (Format::Codex, codex::read(&table)?),
            (Err(error), Err(_)) => return Err(bad(&error)),
        },
    };
    let Lists { notes, left_out, .. } = &lists;
    let (notes, left_out) = (notes.clone(), left_out.clone());
    Ok(Imported { format, policy: text::policy(format, &lists), notes, left_out })
}

fn bad(error: &dyn std::fmt::Display) -> ImportError {
    let error = error.to_string();
    ImportError::Unreadable(format!("broken ({})", error.trim_end()))
}

#[cfg(test)]
mod tests;
