//! A call and everything it would do: all that a decision is made from, besides the policy.

use super::access::Access;
use super::call::ToolCall;

/// The call and all its accesses, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The call.
    pub call: ToolCall,
    /// Everything it would do, `call` first.
    pub accesses: Vec<Access>,
}
