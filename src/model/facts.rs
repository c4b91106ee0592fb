//! A call and everything it would do: all that a decision is made from, besides the policy.

use super::access::Access;
use super::call::ToolCall;
use super::session::Session;

/// The call, all its accesses, resolved, and the state of its session.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The call.
    pub call: ToolCall,
    /// Everything it would do, `call` first.
    pub accesses: Vec<Access>,
    /// Whether the runtime's catalogue describes the tool; else it is opaque.
    pub described: bool,
    /// Arguments that the tool's schema lets a call leave out.
    pub omittable: &'static [String],
    /// What the texts that it writes would make a runtime run by itself.
    pub brought: Brought,
    /// The exit status, once the call ran: 0 if it succeeded, else what the runtime told.
    pub exit: Option<i64>,
    /// What is remembered of the session.
    pub session: Session,
}

/// What the files that a call writes may make a runtime run by itself, where that would be read as
/// an extension of it: a skill, a command, an agent. No hook is asked about such commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// Nothing that was not there: all that is written is known, and was looked at.
    Nothing,
    /// Commands or hooks.
    Commands,
    /// Nobody knows: what is written was not seen, or nobody looked.
    Unseen,
}

impl Facts {
    /// Accesses of a call of a tool that the catalogue describes, in a session of which nothing is
    /// remembered. What it writes was not looked at.
    #[must_use]
    pub fn of(call: ToolCall, accesses: Vec<Access>) -> Facts {
        let session = Session::default();
        let brought = Brought::Unseen;
        Facts { call, accesses, described: true, omittable: &[], brought, exit: None, session }
    }
}
