//! Who acts.

/// The agent program that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// Claude Code, and the Agent SDK, which runs it.
    Claude,
    /// OpenAI Codex CLI.
    Codex,
    /// Whoever it is: a connection tells nothing of the program that made it. No text names it.
    Unknown,
}

impl Runtime {
    /// The word in arguments, policy and log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Runtime::Claude => "claude",
            Runtime::Codex => "codex",
            Runtime::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(text: &str) -> Result<Runtime, UnknownRuntime> {
        match text {
            "claude" => Ok(Runtime::Claude),
            "codex" => Ok(Runtime::Codex),
            _ => Err(UnknownRuntime(text.to_owned())),
        }
    }
}

/// A runtime that toolgate does not speak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no known runtime; use `claude` or `codex`")]
pub struct UnknownRuntime(String);

/// Who asks: the runtime, its session, the agent in it, and the operating system's word for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The agent program.
    pub runtime: Runtime,
    /// The runtime's own session id, as it stated it.
    pub session: String,
    /// The main thread, or a subagent.
    pub agent: Agent,
    /// The user id of the peer of the socket; nothing where no socket was (tests, `policy eval`).
    pub uid: Option<u32>,
    /// Whether the sender was shown to be the runtime itself.
    pub sender: Sender,
}

/// Which thread of the runtime acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agent {
    /// The main thread.
    Main,
    /// A subagent.
    Sub {
        /// The runtime's id of it.
        id: String,
        /// Its kind, such as `general-purpose`; empty if the runtime did not say.
        kind: String,
    },
}

/// Whether an event's sender is known to be the runtime, and not one of its tools.
///
/// The agent's own commands run with the runtime's user id and can post events, so an event from
/// an unproven sender may only tighten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Shown to be the runtime.
    Proven,
    /// Anyone with the runtime's user id.
    Unproven,
}
