//! The log as columns: what pages count and filter by, one row for each record.
//!
//! Names are kept once and rows hold their numbers, so a million records are some sixty megabytes
//! and a pass over them some milliseconds. They are built when somebody looks and given up when
//! nobody does; what a page shows of a record besides is read from the file, at the row's place.

pub(super) mod names;
pub(super) mod parse;

pub(super) use names::{Names, small};
use parse::Lean;

/// What records can be counted and filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::review) enum Field {
    /// What was decided.
    Decision,
    /// The tool.
    Tool,
    /// The rules that made it.
    Rule,
    /// The session.
    Session,
    /// The hosts it would have reached.
    Host,
    /// What happened.
    Kind,
    /// The agent program.
    Runtime,
    /// What a finding found.
    Code,
    /// The policy in force, by its digest.
    Policy,
}

impl Field {
    /// All of them, in the order of the facets.
    pub(in crate::review) const ALL: [Field; 9] = [
        Field::Decision,
        Field::Tool,
        Field::Rule,
        Field::Host,
        Field::Session,
        Field::Kind,
        Field::Code,
        Field::Runtime,
        Field::Policy,
    ];

    /// Its name in addresses and on the command line.
    pub(in crate::review) fn key(self) -> &'static str {
        match self {
            Field::Decision => "decision",
            Field::Tool => "tool",
            Field::Rule => "rule",
            Field::Session => "session",
            Field::Host => "host",
            Field::Kind => "kind",
            Field::Runtime => "runtime",
            Field::Code => "code",
            Field::Policy => "policy",
        }
    }

    fn place(self) -> usize {
        Field::ALL.iter().position(|one| *one == self).unwrap_or_default()
    }
}

/// The names of every field.
#[derive(Debug)]
pub(super) struct Dictionary([Names; Field::ALL.len()]);

impl Dictionary {
    pub(super) fn new() -> Dictionary {
        Dictionary(Field::ALL.map(|field| match field {
            // These have one byte a row. There are far fewer; what is beyond is one name.
            Field::Decision | Field::Kind | Field::Runtime | Field::Code => Names::at_most(255),
            Field::Policy => Names::at_most(65_535),
            Field::Tool | Field::Rule | Field::Session | Field::Host => Names::at_most(u32::MAX),
        }))
    }

    pub(super) fn of(&self, field: Field) -> &Names {
        // Each field has its place in an array of as many.
        self.0.get(field.place()).unwrap_or(&self.0[0])
    }

    fn number(&mut self, field: Field, text: &str) -> u32 {
        self.0.get_mut(field.place()).map_or(0, |names| names.number(text))
    }
}

/// The rows of one file.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// When, in microseconds since 1970.
    pub(super) at: Vec<i64>,
    /// Where the line begins in the file.
    pub(super) offset: Vec<u64>,
    /// The call, hashed: joins what belongs together.
    pub(super) call: Vec<u64>,
    /// How long deciding took, in microseconds.
    pub(super) decided_us: Vec<u32>,
    tool: Vec<u32>,
    session: Vec<u32>,
    policy: Vec<u16>,
    decision: Vec<u8>,
    kind: Vec<u8>,
    runtime: Vec<u8>,
    code: Vec<u8>,
    rules: Several,
    hosts: Several,
}

/// Several numbers for each row.
#[derive(Debug, Default)]
struct Several {
    /// Where the numbers of each row end.
    ends: Vec<u32>,
    numbers: Vec<u32>,
}

impl Several {
    fn push(&mut self, numbers: impl Iterator<Item = u32>) {
        let from = self.numbers.len();
        self.numbers.extend(numbers);
        if let Some(new) = self.numbers.get_mut(from..) {
            new.sort_unstable();
        }
        let mut kept = from;
        for at in from..self.numbers.len() {
            let is_new = kept == from || self.numbers.get(at) != self.numbers.get(kept - 1);
            if is_new {
                self.numbers.swap(at, kept);
                kept += 1;
            }
        }
        self.numbers.truncate(kept);
        self.ends.push(u32::try_from(self.numbers.len()).unwrap_or(u32::MAX));
    }

    fn of(&self, row: usize) -> &[u32] {
        let number = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let from = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let to = self.ends.get(row).copied().unwrap_or_default();
        self.numbers.get(number(from.unwrap_or_default())..number(to)).unwrap_or_default()
    }
}

/// What numbers a row has in a field.
pub(super) enum Numbers<'a> {
    /// One; 0 for none.
    One(u32),
    /// Any number of them.
    Several(&'a [u32]),
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    /// Adds the record of a line that begins at `offset`.
    pub(super) fn push(&mut self, offset: u64, lean: &Lean, names: &mut Dictionary) {
        let text =
            |one: &Option<std::borrow::Cow<'_, str>>| one.as_deref().unwrap_or_default().to_owned();
        let decision = lean.decision.as_ref();
        self.at.push(lean.at());
        self.offset.push(offset);
        self.call.push(lean.call.as_deref().map_or(0, hash));
        self.decided_us.push(u32::try_from(lean.decided_us.unwrap_or(0)).unwrap_or(u32::MAX));
        self.tool.push(names.number(Field::Tool, &text(&lean.tool)));
        self.session.push(names.number(Field::Session, &text(&lean.session)));
        let policy = lean.policy.as_ref().map(|policy| &*policy.sha256).unwrap_or_default();
        self.policy.push(small(names.number(Field::Policy, policy)));
        let effect = decision.map(|decision| &*decision.effect).unwrap_or_default();
        self.decision.push(small(names.number(Field::Decision, effect)));
        self.kind.push(small(names.number(Field::Kind, &lean.kind)));
        self.runtime.push(small(names.number(Field::Runtime, &text(&lean.runtime))));
        let code = lean.details.as_ref().and_then(|details| details.code.as_deref());
        let code = code.filter(|_| lean.kind == "finding").unwrap_or_default();
        self.code.push(small(names.number(Field::Code, code)));
        let rules = decision.map(|decision| &decision.rules[..]).unwrap_or_default();
        self.rules.push(rules.iter().map(|rule| names.number(Field::Rule, &rule.id)));
        let hosts = lean.accesses.iter().filter(|access| access.verb == "connect");
        let hosts = hosts.filter_map(|access| parse::host(&access.target));
        self.hosts.push(hosts.map(|host| names.number(Field::Host, host)));
    }

    /// The numbers of a row in a field.
    pub(super) fn numbers(&self, field: Field, row: usize) -> Numbers<'_> {
        let byte = |column: &[u8]| column.get(row).copied().map_or(0, u32::from);
        Numbers::One(match field {
            Field::Decision => byte(&self.decision),
            Field::Kind => byte(&self.kind),
            Field::Runtime => byte(&self.runtime),
            Field::Code => byte(&self.code),
            Field::Policy => self.policy.get(row).copied().map_or(0, u32::from),
            Field::Tool => self.tool.get(row).copied().unwrap_or_default(),
            Field::Session => self.session.get(row).copied().unwrap_or_default(),
            Field::Rule => return Numbers::Several(self.rules.of(row)),
            Field::Host => return Numbers::Several(self.hosts.of(row)),
        })
    }
}

/// What joins the records of a call. Two calls that share it are told apart where they are read.
pub(super) fn hash(call: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    call.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_each_of_its_names_once() {
        let mut several = Several::default();
        for numbers in [&[3, 1, 3, 1][..], &[], &[2], &[2, 2]] {
            several.push(numbers.iter().copied());
        }
        let got: Vec<_> = (0..5).map(|row| several.of(row).to_vec()).collect();
        assert_eq!(got, [vec![1, 3], vec![], vec![2], vec![2], vec![]]);
    }

    #[test]
    fn a_record_becomes_a_row() {
        let line = r#"{"v":1,"seq":7,"ts":"2026-11-20T10:00:00.000001Z","stream":"s",
            "kind":"tool.pre",
            "call":"c1","session":"s\u0031","runtime":"claude","tool":"Bash","x":[{"y":"}"}],
            "accesses":[{"verb":"connect","target":"https://a.example:443","certain":true,
              "verdict":"deny"},{"verb":"connect","target":"b.example:80","certain":true,
              "verdict":"deny"}],
            "decision":{"effect":"deny","basis":"rule","reason":"r",
              "rules":[{"id":"r1","file":"f","line":1,"effect":"deny","match":"yes"}],
              "obligations":[]},
            "policy":{"name":"p","sha256":"ab"},"decided_us":12,"prev":"0"}"#;
        let (mut rows, mut names) = (Rows::default(), Dictionary::new());
        rows.push(5, &Lean::read(line.as_bytes()).unwrap(), &mut names);
        let name = |field: Field| match rows.numbers(field, 0) {
            Numbers::One(number) => vec![names.of(field).text(number).to_owned()],
            Numbers::Several(all) => {
                all.iter().map(|n| names.of(field).text(*n).to_owned()).collect()
            }
        };
        assert_eq!(name(Field::Decision), ["deny"]);
        assert_eq!(name(Field::Session), ["s1"]);
        assert_eq!(name(Field::Host), ["a.example", "b.example"]);
        assert_eq!(name(Field::Rule), ["r1"]);
        assert_eq!(name(Field::Code), [""]);
        assert_eq!(
            (rows.at[0], rows.offset[0], rows.decided_us[0]),
            (
                "2026-11-20T10:00:00.000001Z".parse::<jiff::Timestamp>().unwrap().as_microsecond(),
                5,
                12
            )
        );
        assert_eq!(rows.call[0], hash("c1"));
    }
}
