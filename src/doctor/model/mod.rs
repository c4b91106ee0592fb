//! A scripted model: speaks enough of the Messages API for the real client to be driven offline.
//!
//! Which turn comes next is read from the conversation itself, so a request that the client repeats
//! gets the same answer again. What is to be called in a turn is asked of the driver when the turn
//! comes: between two turns it may kill or start what it likes. It listens on loopback alone.

mod messages;
mod server;

pub(super) use server::Model;

use crate::model::json::Json;
use serde::{Deserialize, Serialize};

/// One tool call that the model makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    /// The tool.
    pub(super) name: String,
    /// What it is called with.
    pub(super) input: Json,
}

/// What the model calls in one turn; nothing ends the session.
pub(super) type Turn = Vec<Call>;

/// What the model has to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Heard {
    /// The client asks what comes in this turn, and waits.
    Asked(usize),
    /// What came back of a call, told once.
    Result(ToolResult),
}

/// What came back of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToolResult {
    /// The call's turn.
    pub(super) turn: usize,
    /// The call's place in its turn.
    pub(super) index: usize,
    /// Whether the client says that it failed or was held back.
    pub(super) is_error: bool,
    /// What the model was told.
    pub(super) text: String,
}

/// The id that a call of the script has on the wire.
pub(super) fn id_of(turn: usize, index: usize) -> String {
    format!("{ID}{turn:03}_{index:02}")
}

/// The call that an id names; nothing if it is none of ours.
fn call_of(id: &str) -> Option<(usize, usize)> {
    let (turn, index) = id.strip_prefix(ID)?.split_once('_')?;
    Some((turn.parse().ok()?, index.parse().ok()?))
}

const ID: &str = "toolu_doctor_";
