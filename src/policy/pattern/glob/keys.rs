//! By what an index finds a glob: what a path must have so that the glob can name it.

use super::{Glob, Part, Piece, Shape};
use crate::policy::pattern::literal::Literal;

/// Something that every path has which a glob names, and where the path has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// What.
    pub(crate) has: Has,
    /// It may stand at the path's end.
    pub(crate) at_end: bool,
    /// It may stand before the path's end.
    pub(crate) before_end: bool,
    /// Every path that has it there is named.
    pub(crate) enough: bool,
}

/// What a path has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Has {
    /// Its first components are these.
    Place(String),
    /// One of its components is this.
    Name(String),
    /// One of them begins so.
    Head(String),
    /// One of them ends so.
    Tail(String),
}

impl Glob {
    /// What a path has which the glob names, or below which it lies if `below`; each key by itself
    /// finds all of them. None where nothing is literal.
    pub(crate) fn keys(&self, below: bool) -> Vec<Key> {
        let (parts, only_below) = match &self.shape {
            Shape::Plain(text) => {
                let has = Has::Place(text.to_string());
                return vec![Key { has, at_end: true, before_end: below, enough: true }];
            }
            Shape::Parts { parts, only_below } => (parts, *only_below),
        };
        let mut keys = Vec::new();
        let plain = |part: &Part| match part {
            Part::Plain(text) => Some(format!("/{text}")),
            Part::AnyDepth | Part::Wild(_) => None,
        };
        let fixed: Vec<String> = parts.iter().map_while(plain).collect();
        if !fixed.is_empty() {
            let has = Has::Place(fixed.concat());
            // Something wild follows, so the path goes on.
            let enough = fixed.len() == parts.len();
            keys.push(Key { has, at_end: false, before_end: true, enough });
        }
        for (place, part) in parts.iter().enumerate().skip(fixed.len()) {
            let last = place + 1 == parts.len();
            let (at_end, before_end) = (last && !only_below, !last || only_below || below);
            let alone = last && matches!(parts.first(), Some(Part::AnyDepth)) && place == 1;
            let mut key = |has, enough| {
                keys.push(Key { has, at_end, before_end, enough: enough && alone });
            };
            match part {
                Part::AnyDepth => {}
                Part::Plain(text) => key(Has::Name(text.to_string()), true),
                Part::Wild(wild) => {
                    let ends = Literal::of(
                        &wild.pieces,
                        |piece| match piece {
                            Piece::Char(c) => Some(*c),
                            Piece::Any | Piece::Run | Piece::Class { .. } => None,
                        },
                        |piece| *piece == Piece::Run,
                    );
                    if !ends.head.is_empty() {
                        key(Has::Head(ends.head.clone()), ends.is_head());
                    }
                    if !ends.tail.is_empty() {
                        key(Has::Tail(ends.tail.clone()), ends.is_tail());
                    }
                }
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_finds_the_glob() {
        let key = |has, at_end, before_end, enough| Key { has, at_end, before_end, enough };
        let (place, name) = (|t: &str| Has::Place(t.to_owned()), |t: &str| Has::Name(t.to_owned()));
        let (head, tail) = (|t: &str| Has::Head(t.to_owned()), |t: &str| Has::Tail(t.to_owned()));
        for (pattern, below, expected) in [
            ("/a/b", false, vec![key(place("/a/b"), true, false, true)]),
            ("/a/b", true, vec![key(place("/a/b"), true, true, true)]),
            ("/a/**", false, vec![key(place("/a"), false, true, true)]),
            ("/a/*", false, vec![key(place("/a"), false, true, false)]),
            ("**/x", false, vec![key(name("x"), true, false, true)]),
            ("**/x", true, vec![key(name("x"), true, true, true)]),
            ("**/x/**", true, vec![key(name("x"), false, true, true)]),
            ("**/*.rs", false, vec![key(tail(".rs"), true, false, true)]),
            ("**/.env.*", true, vec![key(head(".env."), true, true, true)]),
            (
                "**/a*b",
                true,
                vec![key(head("a"), true, true, false), key(tail("b"), true, true, false)],
            ),
            (
                "/srv/*/conf/*.env",
                true,
                vec![
                    key(place("/srv"), false, true, false),
                    key(name("conf"), false, true, false),
                    key(tail(".env"), true, true, false),
                ],
            ),
            ("/*/x", false, vec![key(name("x"), true, false, false)]),
            (
                "**/x/**/y",
                false,
                vec![key(name("x"), false, true, false), key(name("y"), true, false, false)],
            ),
            ("**/*a*", true, vec![]),
            ("**/[ab]", true, vec![]),
        ] {
            assert_eq!(Glob::parse("", pattern, below).unwrap().keys(below), expected, "{pattern}");
        }
    }
}
