//! The facts of one call, and where they are gathered.

use crate::model::access::Access;
use crate::model::call::ToolCall;
use crate::model::path::AbsPath;
use crate::world::World;

/// The call and everything it would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The call.
    pub call: ToolCall,
    /// Everything it would do, `call` first.
    pub accesses: Vec<Access>,
}

/// Where a call is judged: the agent's world and the names that stand for places in it.
pub struct Place<'a> {
    /// The agent's files and programs.
    pub world: &'a dyn World,
    /// The directory that `$workspace` stands for.
    pub workspace: &'a AbsPath,
    /// The directory that `$tmp` stands for.
    pub tmp: &'a AbsPath,
}

/// Everything that `call` would do, seen from `place`.
#[must_use]
pub fn gather(call: ToolCall, _place: &Place<'_>) -> Facts {
    Facts { call, accesses: Vec::new() }
}
