//! The policy in force: replaced whole, while decisions in flight end on the one they began with.

use super::Gate;
use crate::policy::Policy;
use crate::policy::pattern::Anchors;
use std::sync::{Arc, PoisonError};

/// A policy in force and the places that its names stand for.
pub struct Bound {
    /// The policy.
    pub policy: Policy,
    /// `$workspace`, `$home`, `$tmp`.
    pub anchors: Anchors,
}

impl Gate {
    /// The policy in force. A decision in flight ends on the policy it began with.
    #[must_use]
    pub fn in_force(&self) -> Arc<Bound> {
        // A poisoned lock still holds a whole policy: it is replaced in one assignment.
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another policy in force and gives back the one before it, which decisions in flight may
    /// still hold.
    pub fn replace(&self, bound: Bound) -> Arc<Bound> {
        let next = Arc::new(bound);
        self.metrics.in_force(&next.policy);
        let mut policy = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        // Given back whole: freeing a large policy must not happen under the lock.
        std::mem::replace(&mut *policy, next)
    }
}
