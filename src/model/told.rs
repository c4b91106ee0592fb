//! What a runtime tells besides calls: that a session began, that a turn is over, and so on.

use super::call::ToolName;
use super::json::Json;
use super::path::AbsPath;
use super::principal::Principal;

/// One event of a runtime that holds no call to judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Who sent it.
    pub principal: Principal,
    /// The event's name, as the runtime spells it.
    pub event: String,
    /// The runtime's permission mode, as stated.
    pub permission_mode: Option<String>,
    /// The working directory that the runtime stated.
    pub cwd: Option<AbsPath>,
    /// The transcript of the session that the runtime keeps, as stated.
    pub transcript: Option<AbsPath>,
    /// What of it the log keeps, by the runtime's own names.
    pub details: Vec<(&'static str, Json)>,
    /// Which calls it says are over.
    pub ends: Ends,
}

/// Which calls an event says are over.
#[derive(Debug, Clone, PartialEq)]
pub enum Ends {
    /// None.
    Nothing,
    /// Those of the main thread: its turn has ended.
    Turn,
    /// Those of the subagent that the principal is.
    Agent,
    /// All of the session.
    Session,
    /// These, which the model has been answered.
    Batch(Vec<Batched>),
}

/// One call whose answer the model has seen, whether or not it ever ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batched {
    /// The runtime's own id of it.
    pub tool_use_id: String,
    /// The tool.
    pub tool: ToolName,
}
