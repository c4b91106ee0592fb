//! Conditions of a rule's `when`, compiled. The engine asks them (`engine/condition.rs`).

use super::label::LabelText;
use super::pattern::text::TextPattern;
use regex::Regex;

/// All that must hold for a rule to speak. Ordered by cost: labels as bits first.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Labels that the session must have, as bits of the policy's label table.
    pub seen: u64,
    /// Labels that it must not have.
    pub not_seen: u64,
    /// The others.
    pub rest: Vec<Condition>,
}

/// One condition.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The session has this label, whose text may hold an argument.
    Seen(LabelText),
    /// The session has not.
    NotSeen(LabelText),
    /// An argument of the tool, by the keys that lead to it.
    Argument(Vec<String>, Test),
    /// The agent that acts: `main`, or a subagent's kind.
    Agent(Test),
    /// The runtime's permission mode.
    PermissionMode(Test),
    /// The command's exit status, once it ran.
    Exit(Test),
    /// What is written may make the runtime run something by itself. Only the floor asks it.
    Brings,
    /// The tool is the one that was pinned, which nothing checks yet: always a maybe, so that it
    /// adds a question and never answers one.
    Pinned,
}

/// What a value must be.
#[derive(Debug, Clone)]
pub enum Test {
    /// A text that this pattern matches.
    Glob(TextPattern),
    /// A text that this matches somewhere.
    Regex(Regex),
    /// A number that stands so to this one.
    Number(Comparison, f64),
    /// This.
    Bool(bool),
    /// It is missing, or with `false` it is not.
    Absent(bool),
    /// Any of these.
    Any(Vec<Test>),
}

/// How a number must stand to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `< n`
    Less,
    /// `<= n`
    AtMost,
    /// `> n`
    More,
    /// `>= n`
    AtLeast,
    /// `= n`
    Equal,
}

impl Conditions {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen == 0 && self.not_seen == 0 && self.rest.is_empty()
    }

    /// Whether anything is asked of what the tool brought back.
    #[must_use]
    pub fn of_result(&self) -> bool {
        self.rest.iter().any(|condition| matches!(condition, Condition::Exit(_)))
    }
}

impl Comparison {
    /// Whether `value` stands so to `bound`.
    #[must_use]
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Comparison::Less => value < bound,
            Comparison::AtMost => value <= bound,
            Comparison::More => value > bound,
            Comparison::AtLeast => value >= bound,
            Comparison::Equal => value.total_cmp(&bound).is_eq() || value == bound,
        }
    }

    /// A comparison as it is written, `<= 500`; nothing if the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<(Comparison, f64)> {
        let operators = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ];
        let (operator, comparison) =
            operators.into_iter().find(|(operator, _)| text.starts_with(operator))?;
        let number: f64 = text.strip_prefix(operator)?.trim().parse().ok()?;
        number.is_finite().then_some((comparison, number))
    }
}
