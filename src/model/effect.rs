//! What one rule says (`Effect`), and what a layer, an access or a call comes to (`Verdict`).

/// What ONE rule says of an access it matches. The strictest stands: deny, ask, allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// The access may happen.
    Allow,
    /// A person must say yes first.
    Ask,
    /// The access must not happen.
    Deny,
}

/// What is concluded of an access, or of a whole call.
///
/// The order of the variants means nothing: there are two orders, one for layers and one for
/// accesses (policy language §11.2), and each has its own method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Verdict {
    /// It may happen.
    Allow,
    /// A person must say yes first.
    Ask,
    /// It must not happen.
    Deny,
    /// The policy has no opinion: the runtime's own permission flow decides.
    Defer,
}

impl Verdict {
    /// Of two layers judging one access: deny, ask, allow, defer.
    pub fn stricter_layer(self, other: Verdict) -> Verdict {
        fn rank(verdict: Verdict) -> u8 {
            match verdict {
                Verdict::Defer => 0,
                Verdict::Allow => 1,
                Verdict::Ask => 2,
                Verdict::Deny => 3,
            }
        }
        if rank(other) > rank(self) { other } else { self }
    }

    /// Of two accesses of one call: deny, ask, defer, allow. A call is allowed only whole.
    pub fn stricter_access(self, other: Verdict) -> Verdict {
        fn rank(verdict: Verdict) -> u8 {
            match verdict {
                Verdict::Allow => 0,
                Verdict::Defer => 1,
                Verdict::Ask => 2,
                Verdict::Deny => 3,
            }
        }
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Effect> for Verdict {
    fn from(effect: Effect) -> Verdict {
        match effect {
            Effect::Allow => Verdict::Allow,
            Effect::Ask => Verdict::Ask,
            Effect::Deny => Verdict::Deny,
        }
    }
}

impl Effect {
    /// The word in policy, log and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Verdict::from(self).as_str()
    }
}

impl Verdict {
    /// The word in policy, log and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Ask => "ask",
            Verdict::Deny => "deny",
            Verdict::Defer => "defer",
        }
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
