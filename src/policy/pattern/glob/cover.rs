//! Whether every path that one glob names is one that another names.

use super::super::cover::{SOMEWHERE, sequence};
use super::{Glob, Part, Piece, Shape, folded};

/// One component, or any number of them.
pub(super) enum Symbol<'a> {
    AnyDepth,
    Plain(&'a str),
    Wild(&'a [Piece]),
}

/// Any component.
const ANY_NAME: &[Piece] = &[Piece::Run];

impl Glob {
    /// Whether every path that `other` names is one that this names; `below` and `other_below`
    /// say of which of the two what lies below is meant too.
    pub(in crate::policy::pattern) fn covers_glob(
        &self,
        below: bool,
        other: &Glob,
        other_below: bool,
    ) -> bool {
        if other.fold && !self.fold {
            return false;
        }
        let (wide, narrow) = (self.symbols(below), other.symbols(other_below));
        let is_run = |symbol: &Symbol<'_>| matches!(symbol, Symbol::AnyDepth);
        sequence(&wide, &narrow, is_run, |_| true, |wide, narrow| self.takes(wide, narrow, other))
    }

    /// Whether no component of it holds a wildcard.
    pub(in crate::policy::pattern) fn is_plain(&self) -> bool {
        matches!(self.shape, Shape::Plain(_))
    }

    /// Its components without a wildcard, in one case, and the path that those make which stand
    /// before the first wildcard.
    pub(in crate::policy::pattern) fn needs(&self) -> Vec<String> {
        let mut words = self.has();
        let heads = words.iter().filter(|word| word.starts_with('/')).count();
        // Of the paths, the last is the longest, and says all that the others do.
        words.drain(..heads.saturating_sub(1));
        words
    }

    /// The paths above its first wildcard, each longer than the one before, and then all its
    /// components without a wildcard: what it needs of those it covers, and more.
    pub(in crate::policy::pattern) fn has(&self) -> Vec<String> {
        let plain = |symbol: &Symbol<'_>| match symbol {
            Symbol::Plain(name) => Some(name.chars().map(folded).collect()),
            Symbol::AnyDepth | Symbol::Wild(_) => None,
        };
        let symbols = self.symbols(false);
        let mut words = Vec::new();
        let mut path = String::new();
        for name in symbols.iter().map_while(plain) {
            let name: String = name;
            path.push('/');
            path.push_str(&name);
            words.push(path.clone());
        }
        words.extend(symbols.iter().filter_map(plain));
        words
    }

    pub(super) fn symbols(&self, below: bool) -> Vec<Symbol<'_>> {
        let mut symbols: Vec<Symbol<'_>> = match &self.shape {
            Shape::Plain(text) => text.split('/').skip(1).map(Symbol::Plain).collect(),
            // `**` alone is the root too.
            Shape::Parts { parts, only_below: true } if parts.is_empty() => {
                return vec![Symbol::AnyDepth];
            }
            Shape::Parts { parts, .. } => parts.iter().map(symbol).collect(),
        };
        let only_below = matches!(self.shape, Shape::Parts { only_below: true, .. });
        if only_below {
            symbols.push(Symbol::Wild(ANY_NAME));
        }
        if only_below || below {
            symbols.push(Symbol::AnyDepth);
        }
        symbols
    }

    /// Whether one component of this stands for all that one of `other` stands for.
    fn takes(&self, wide: &Symbol<'_>, narrow: &Symbol<'_>, other: &Glob) -> bool {
        let is_run = |piece: &Piece| *piece == Piece::Run;
        let takes = |wide: &Piece, narrow: &Piece| self.takes_piece(wide, narrow, other);
        match (wide, narrow) {
            (Symbol::Plain(wide), Symbol::Plain(narrow)) => self.after(wide, narrow) == Some(""),
            // Where that place lies is not known, nor how deep.
            (Symbol::Wild(_), Symbol::Plain(name)) if name.starts_with(SOMEWHERE) => false,
            (Symbol::Wild(wide), Symbol::Plain(name)) => {
                let narrow: Vec<Piece> = name.chars().map(Piece::Char).collect();
                sequence(wide, &narrow, is_run, |_| true, takes)
            }
            (Symbol::Wild(wide), Symbol::Wild(narrow)) => {
                sequence(wide, narrow, is_run, |_| true, takes)
            }
            (Symbol::Plain(_), Symbol::Wild(_)) => false,
            (Symbol::AnyDepth, _) | (_, Symbol::AnyDepth) => false,
        }
    }

    fn takes_piece(&self, wide: &Piece, narrow: &Piece, other: &Glob) -> bool {
        match (wide, narrow) {
            (Piece::Any, _) => true,
            (Piece::Char(a), Piece::Char(b)) => a == b || (self.fold && folded(*a) == folded(*b)),
            (Piece::Class { negated, ranges }, Piece::Char(c)) => {
                self.class_takes(*negated, ranges, *c, other.fold)
            }
            (
                Piece::Class { negated: false, ranges: wide },
                Piece::Class { negated: false, ranges: narrow },
            ) => within(narrow, wide),
            // What is left out must be left out there too.
            (
                Piece::Class { negated: true, ranges: wide },
                Piece::Class { negated: true, ranges: narrow },
            ) => self.fold == other.fold && within(wide, narrow),
            (Piece::Class { .. }, Piece::Class { .. } | Piece::Any | Piece::Run) => false,
            (Piece::Char(_), Piece::Class { .. } | Piece::Any | Piece::Run) => false,
            (Piece::Run, _) => false,
        }
    }

    /// Whether the class holds `c`, and where `folds` says so every letter like it.
    fn class_takes(&self, negated: bool, ranges: &[(char, char)], c: char, folds: bool) -> bool {
        let caseless = c.is_ascii() && !c.is_ascii_alphabetic();
        if !folds || caseless {
            return self.in_class(ranges, c) != negated;
        }
        !negated && ranges.iter().any(|(from, to)| (*from..=*to).contains(&folded(c)))
    }
}

fn symbol(part: &Part) -> Symbol<'_> {
    match part {
        Part::AnyDepth => Symbol::AnyDepth,
        Part::Plain(name) => Symbol::Plain(name),
        Part::Wild(wild) => Symbol::Wild(&wild.pieces),
    }
}

/// Whether each of these ranges lies in one of those.
fn within(ranges: &[(char, char)], of: &[(char, char)]) -> bool {
    let inside = |(from, to): &(char, char)| of.iter().any(|(low, high)| low <= from && to <= high);
    ranges.iter().all(inside)
}
