//! Yes, no or maybe: what every matcher answers (Kleene's strong three-valued logic).

/// The answer of a matcher. `Maybe` is an answer, not an error: it counts against the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use]
pub enum Truth {
    /// Certainly not.
    No,
    /// It cannot be known from here.
    Maybe,
    /// Certainly.
    Yes,
}

impl Truth {
    /// Both: the weaker of the two.
    pub fn and(self, other: Truth) -> Truth {
        self.min(other)
    }

    /// Either: the stronger of the two.
    pub fn or(self, other: Truth) -> Truth {
        self.max(other)
    }

    /// At most `Maybe`: for a target whose access may not happen at all.
    pub fn doubted(self) -> Truth {
        self.min(Truth::Maybe)
    }

    /// True unless the answer is `No`.
    #[must_use]
    pub fn possible(self) -> bool {
        self != Truth::No
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::No => Truth::Yes,
            Truth::Maybe => Truth::Maybe,
            Truth::Yes => Truth::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Truth {
        if value { Truth::Yes } else { Truth::No }
    }
}

impl std::fmt::Display for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Truth::No => "no",
            Truth::Maybe => "maybe",
            Truth::Yes => "yes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{Maybe, No, Yes};

    #[test]
    fn the_tables_are_kleenes() {
        for (a, b, and, or) in [
            (No, No, No, No),
            (No, Maybe, No, Maybe),
            (No, Yes, No, Yes),
            (Maybe, Maybe, Maybe, Maybe),
            (Maybe, Yes, Maybe, Yes),
            (Yes, Yes, Yes, Yes),
        ] {
            assert_eq!((a.and(b), b.and(a)), (and, and), "{a} and {b}");
            assert_eq!((a.or(b), b.or(a)), (or, or), "{a} or {b}");
            assert_eq!(!(a.and(b)), (!a).or(!b), "de morgan of {a}, {b}");
        }
    }
}
