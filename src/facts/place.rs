//! Where a call is judged.

use crate::model::path::AbsPath;
use crate::world::World;

/// Where a call is judged: the agent's world and the names that stand for places in it.
pub struct Place<'a> {
    /// The agent's files and programs.
    pub world: &'a dyn World,
    /// The directory that `$workspace` stands for.
    pub workspace: &'a AbsPath,
    /// The directory that `$tmp` stands for.
    pub tmp: &'a AbsPath,
}
