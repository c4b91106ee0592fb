//! What a shell command would do.

use super::gather::Place;
use crate::model::access::{Access, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::AbsPath;

/// Reads a shell text.
pub fn read(_text: &str, _cwd: Option<&AbsPath>, _place: &Place<'_>, into: &mut Vec<Access>) {
    into.push(Access::unknown(Verb::Exec, Doubt::Unparsable("stub".to_owned())));
}
