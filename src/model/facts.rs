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
    /// The exit status, once the call ran: 0 if it succeeded, else what the runtime told.
    pub exit: Option<i64>,
    /// What is remembered of the session.
    pub session: Session,
}

impl Facts {
    /// Accesses of a call of a tool that the catalogue describes, in a session of which nothing is
    /// remembered.
    #[must_use]
    pub fn of(call: ToolCall, accesses: Vec<Access>) -> Facts {
        let session = Session::default();
        Facts { call, accesses, described: true, omittable: &[], exit: None, session }
    }
}
