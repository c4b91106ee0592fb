//! No world configured: nothing of the agent's files is known, so every path is a maybe.

use super::{Entry, Resolution, World};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real};

/// The world of a listener that was not told whose files its paths name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl World for Nowhere {
    fn resolve(&self, _path: &AbsPath) -> Resolution {
        Resolution {
            real: Real::Unknown(Doubt::NoWorld),
            hops: Vec::new(),
            kind: Err(Doubt::NoWorld),
        }
    }

    fn list(&self, _directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        Err(Doubt::NoWorld)
    }

    fn find_program(&self, _name: &str) -> Result<Option<AbsPath>, Doubt> {
        Err(Doubt::NoWorld)
    }

    fn home(&self) -> Option<AbsPath> {
        None
    }
}
