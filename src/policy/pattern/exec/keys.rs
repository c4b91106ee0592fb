//! By what an index finds a command pattern.

use super::{Choice, ExecPattern, Item, Named, ProgramPattern, Stage};
use crate::policy::pattern::Stance;
use crate::policy::pattern::path::PathPattern;
use crate::policy::pattern::text::TextPattern;

pub(crate) use super::args::{First, Seen};
pub(crate) use super::base_name;

/// What a command has that one of a pattern's choices names.
#[derive(Debug)]
pub(crate) struct Key<'a> {
    /// Its program.
    pub(crate) program: Program<'a>,
    /// Its first operand, if the pattern begins with a word.
    pub(crate) operand: Option<&'a str>,
    /// What must hold besides, if it is seen once for all patterns.
    pub(crate) form: Option<Form>,
}

/// The program of a pattern.
#[derive(Debug)]
pub(crate) enum Program<'a> {
    /// By its name.
    Named(&'a TextPattern),
    /// That file.
    File(&'a PathPattern),
    /// Any.
    Any,
}

/// How a pattern goes on after the program and the first operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// With `...`, and nothing else.
    Open,
    /// Not at all.
    Exact,
}

impl ExecPattern {
    /// What finds each of its choices; nothing for `**`.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        self.choices.iter().filter_map(Choice::key)
    }

    /// In which stance it is asked.
    pub(crate) fn stance(&self) -> Stance {
        self.stance
    }
}

impl Choice {
    fn key(&self) -> Option<Key<'_>> {
        let Stage { program, named, words } = self.stages.last()?;
        // A `key=value` may be what stands first among the operands, and the first word may be the
        // value of an option.
        let takes_operands = named.iter().any(|named| match named {
            Named::KeyValue { .. } => true,
            Named::End { .. } => false,
            Named::Option { value, .. } => *value == Some(0),
        });
        let operand = match words.first() {
            Some(Item::Operand(text)) if !takes_operands => text.literal(),
            Some(Item::Operand(_) | Item::Path(_) | Item::Rest) | None => None,
        };
        let after = words.get(usize::from(operand.is_some())..).unwrap_or_default();
        let alone = self.stages.len() == 1 && named.is_empty();
        let form = match after {
            [] if alone => Some(Form::Exact),
            [Item::Rest] if alone => Some(Form::Open),
            _ => None,
        };
        let program = match program {
            ProgramPattern::Name(name) => Program::Named(name),
            ProgramPattern::File(path) => Program::File(path),
            ProgramPattern::Any => Program::Any,
        };
        Some(Key { program, operand, form })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::pattern::Anchors;

    #[test]
    fn what_finds_a_pattern() {
        for (pattern, operand, form) in [
            ("git", None, Some(Form::Exact)),
            ("git ...", None, Some(Form::Open)),
            ("git push", Some("push"), Some(Form::Exact)),
            ("git push ...", Some("push"), Some(Form::Open)),
            ("git push -f ...", Some("push"), None),
            ("git push a", Some("push"), None),
            ("git ... push", None, None),
            ("git pu* ...", None, None),
            ("git k=v push ...", None, None),
            ("git -x push", None, None),
            ("git $tmp/x ...", None, None),
            ("a ... | git push ...", Some("push"), None),
            ("git ... ...", None, None),
        ] {
            let read = ExecPattern::parse(pattern, &Anchors::frozen(None), Stance::Loosen).unwrap();
            let key = read.keys().next().unwrap();
            assert_eq!((key.operand, key.form), (operand, form), "{pattern}");
        }
    }
}
