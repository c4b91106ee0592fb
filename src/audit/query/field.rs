//! What a record can be asked for and counted by: one list of names, for commands and addresses.

use super::row::{Part, Parts, Row};

/// One thing that a record has, or has several of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// What was decided: allow, ask, deny or defer. A record of what came back decides nothing.
    Decision,
    /// What happened, as `model::record::Kind` names it.
    Kind,
    /// The tool.
    Tool,
    /// The rules that made the decision, or changed what came back; a record may have several.
    Rule,
    /// Every rule that matched or may have, those that made no difference too.
    Matched,
    /// The runtime's session.
    Session,
    /// The thread of the runtime: `main`, or `kind/id` of a subagent.
    Agent,
    /// The hosts that were connected to; a record may have several.
    Host,
    /// The paths that were read or written, as stated and where they lead.
    Path,
    /// The user id of the socket's peer.
    Uid,
    /// The agent program.
    Runtime,
    /// What a finding found.
    Code,
    /// The digest of the policy.
    Policy,
    /// What the decision rests on: rule, default, limit and so on.
    Basis,
    /// The call, by either of its ids.
    Call,
}

impl Field {
    /// All of them, in the order in which a filter is printed.
    pub const ALL: [Field; 15] = [
        Field::Decision,
        Field::Kind,
        Field::Tool,
        Field::Rule,
        Field::Matched,
        Field::Session,
        Field::Agent,
        Field::Host,
        Field::Path,
        Field::Uid,
        Field::Runtime,
        Field::Code,
        Field::Policy,
        Field::Basis,
        Field::Call,
    ];

    /// Its name on a command line (`--tool`) and in an address (`tool=`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Decision => "decision",
            Field::Kind => "kind",
            Field::Tool => "tool",
            Field::Rule => "rule",
            Field::Matched => "matched",
            Field::Session => "session",
            Field::Agent => "agent",
            Field::Host => "host",
            Field::Path => "path",
            Field::Uid => "uid",
            Field::Runtime => "runtime",
            Field::Code => "code",
            Field::Policy => "policy",
            Field::Basis => "basis",
            Field::Call => "call",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// The part of a record that it stands in.
    pub(in crate::audit) fn parts(self) -> Parts {
        Parts::of(match self {
            Field::Decision => &[Part::Kind, Part::Effect],
            Field::Basis | Field::Rule => &[Part::Kind, Part::Decision],
            Field::Matched => &[Part::Decision],
            Field::Kind => &[Part::Kind],
            Field::Tool => &[Part::Tool],
            Field::Session => &[Part::Session],
            Field::Agent => &[Part::Agent],
            Field::Host | Field::Path => &[Part::Accesses],
            Field::Uid => &[Part::Uid],
            Field::Runtime => &[Part::Runtime],
            Field::Code => &[Part::Details],
            Field::Policy => &[Part::Policy],
            Field::Call => &[Part::Call, Part::ToolUseId],
        })
    }

    /// Hands over each value that a record has, in the record's order; one may come twice.
    pub(in crate::audit) fn each(self, row: &Row<'_>, mut take: impl FnMut(&str)) {
        let mut one = |value: Option<std::borrow::Cow<'_, str>>| {
            if let Some(value) = value {
                take(&value);
            }
        };
        match self {
            Field::Decision => one(row.effect()),
            Field::Kind => one(Some(row.kind())),
            Field::Tool => one(row.tool()),
            Field::Session => one(row.session()),
            Field::Agent => one(row.agent()),
            Field::Uid => one(row.uid()),
            Field::Runtime => one(row.runtime()),
            Field::Code => one(row.code()),
            Field::Policy => one(row.policy()),
            Field::Basis => one(row.basis()),
            Field::Rule => row.each_rule(take),
            Field::Matched => row.heard().for_each(|rule| take(&rule)),
            Field::Host => row.hosts().for_each(|host| take(&host)),
            Field::Path => row.paths().for_each(|path| take(&path)),
            Field::Call => {
                one(row.call());
                one(row.tool_use_id());
            }
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Field {
    /// The values that a record has.
    #[must_use]
    pub fn of(self, record: &crate::audit::wire::WireRecord) -> Vec<String> {
        let line = serde_json::to_vec(record).unwrap_or_default();
        let mut values = Vec::new();
        if let Ok(row) = super::row::Reader::of(self.parts()).read(&line) {
            self.each(&row, |value| values.push(value.to_owned()));
        }
        values
    }
}
