//! Whether a glob of a rule and a file name pattern of a command may mean the same path.
//!
//! Two patterns nearly always have some path in common: `*.o` and `id_*` do. That alone is no
//! reason to hold a command back, so more is asked for. Where a component of the command's has a
//! wildcard, a letter of it stands where the rule has that letter, or the directory before it is
//! one that both name. So `.e*` may be `**/.env`, and `*` is nothing that `**/id_*` speaks of. A
//! wildcard of a shell never stands for the dot that hides a name.

use super::cover::Symbol;
use super::{Glob, Part, Piece, Shape, folded, part};
use crate::model::path::AbsPath;

/// A pair of places in two patterns, each reached in some of these ways.
type Ways = u8;

/// Of components: the one before is named by both.
const NAMED: Ways = 1;
/// Of components: the one before is not, and all that stand without a letter in common had such a
/// component before them.
const LOOSE: Ways = 2;
/// Of components: some wildcard has nothing in common with the rule but that it could fit.
const VAGUE: Ways = 4;

impl Glob {
    /// The paths below `directory` that fit a file name pattern of a shell.
    pub(in crate::policy::pattern) fn of_word(directory: &AbsPath, pattern: &str) -> Glob {
        let above = directory.components().map(|name| Part::Plain(name.into()));
        let named = pattern.split('/').filter(|text| !text.is_empty());
        // What is no glob here is read as what fits more.
        let any = || Part::Wild(super::Wild { pieces: [Piece::Run].into(), texts: None });
        let below = named.map(|text| part(text, false).unwrap_or_else(|_| any()));
        let parts: Vec<Part> = above.chain(below).collect();
        Glob { shape: Shape::Parts { parts: parts.into(), only_below: false }, fold: false }
    }

    /// Whether this, the glob of what tightens, may mean what a command's pattern means.
    pub(in crate::policy::pattern) fn meets(&self, below: bool, word: &Glob) -> bool {
        let (rule, word) = (self.symbols(below), word.symbols(false));
        let mut here: Vec<Ways> = vec![0; word.len() + 1];
        if let Some(first) = here.first_mut() {
            *first = NAMED;
        }
        self.skip(&word, &mut here);
        for symbol in &rule {
            let mut next: Vec<Ways> = vec![0; word.len() + 1];
            for (at, ways) in here.iter().enumerate() {
                if *ways == 0 {
                    continue;
                }
                if matches!(symbol, Symbol::AnyDepth) {
                    // None of them, or each that follows.
                    for slot in next.iter_mut().skip(at) {
                        *slot |= unnamed(*ways);
                    }
                    continue;
                }
                let Some(other) = word.get(at) else { continue };
                let after = match self.pair(symbol, other) {
                    None => continue,
                    Some(true) => NAMED,
                    Some(false) => {
                        (ways & (NAMED | VAGUE)) | if ways & LOOSE == 0 { 0 } else { VAGUE }
                    }
                };
                let many = matches!(other, Symbol::AnyDepth);
                if let Some(slot) = next.get_mut(at + usize::from(!many)) {
                    *slot |= after;
                }
            }
            self.skip(&word, &mut next);
            here = next;
        }
        here.last().is_some_and(|ways| ways & (NAMED | LOOSE) != 0)
    }

    /// `**` of a word may stand for nothing.
    fn skip(&self, word: &[Symbol<'_>], ways: &mut [Ways]) {
        for (at, symbol) in word.iter().enumerate() {
            let from = ways.get(at).copied().unwrap_or_default();
            if let (Symbol::AnyDepth, Some(slot)) = (symbol, ways.get_mut(at + 1)) {
                *slot |= unnamed(from);
            }
        }
    }

    /// Whether a component may mean what one of a command's may, and if so, whether the two have
    /// a letter in common.
    fn pair(&self, rule: &Symbol<'_>, word: &Symbol<'_>) -> Option<bool> {
        let plain = |name: &str| name.chars().map(Piece::Char).collect::<Vec<_>>();
        let wild;
        let rule: &[Piece] = match rule {
            Symbol::Plain(name) => {
                wild = plain(name);
                &wild
            }
            Symbol::Wild(pieces) => pieces,
            Symbol::AnyDepth => return None,
        };
        let own;
        let (word, whole): (&[Piece], bool) = match word {
            Symbol::Plain(name) => {
                own = plain(name);
                (&own, true)
            }
            Symbol::Wild(pieces) => (pieces, false),
            Symbol::AnyDepth => (&[Piece::Run], false),
        };
        let hidden = rule.first() == Some(&Piece::Char('.'));
        if hidden && word.first() != Some(&Piece::Char('.')) {
            return None;
        }
        let common = self.common(rule, word)?;
        Some(common || whole)
    }

    /// Whether some name fits both, and if so, whether in one of their readings a letter of both
    /// stands at the same place.
    fn common(&self, rule: &[Piece], word: &[Piece]) -> Option<bool> {
        const APART: Ways = 1;
        const TOGETHER: Ways = 2;
        let mut here: Vec<Ways> = vec![0; word.len() + 1];
        if let Some(first) = here.first_mut() {
            *first = APART;
        }
        let pass = |ways: &mut Vec<Ways>| {
            for (at, piece) in word.iter().enumerate() {
                let from = ways.get(at).copied().unwrap_or_default();
                if let (Piece::Run, Some(slot)) = (piece, ways.get_mut(at + 1)) {
                    *slot |= from;
                }
            }
        };
        pass(&mut here);
        for piece in rule {
            let run = *piece == Piece::Run;
            let mut next: Vec<Ways> = vec![0; word.len() + 1];
            let mut at = 0;
            for other in word {
                let ways = here.get(at).copied().unwrap_or_default();
                let from =
                    if run { ways | next.get(at).copied().unwrap_or_default() } else { ways };
                if run && let Some(slot) = next.get_mut(at) {
                    *slot |= from;
                }
                if from != 0
                    && let Some(same) = self.letter(piece, other)
                    && let Some(slot) = next.get_mut(at + usize::from(*other != Piece::Run))
                {
                    *slot |= if same { TOGETHER } else { from };
                }
                at += 1;
            }
            if run && let Some(slot) = next.get_mut(at) {
                *slot |= here.get(at).copied().unwrap_or_default();
            }
            pass(&mut next);
            here = next;
        }
        match here.last() {
            None | Some(0) => None,
            Some(ways) => Some(ways & TOGETHER != 0),
        }
    }

    /// Whether one character may be both, and whether it is because both have that letter.
    fn letter(&self, rule: &Piece, word: &Piece) -> Option<bool> {
        let same = |a: char, b: char| a == b || (self.fold && folded(a) == folded(b));
        let found = match (rule, word) {
            (Piece::Char(a), Piece::Char(b)) => (same(*a, *b), true),
            (Piece::Char(c), Piece::Class { negated, ranges })
            | (Piece::Class { negated, ranges }, Piece::Char(c)) => {
                (self.in_class(ranges, *c) != *negated || self.fold && *negated, !negated)
            }
            // Two classes may share a letter; which, is not looked at.
            (Piece::Class { .. }, Piece::Class { .. }) => (true, true),
            (Piece::Any | Piece::Run, _) | (_, Piece::Any | Piece::Run) => (true, false),
        };
        found.0.then_some(found.1)
    }
}

/// The same where what stands before is not named by both.
fn unnamed(ways: Ways) -> Ways {
    (ways & VAGUE) | if ways & (NAMED | LOOSE) == 0 { 0 } else { LOOSE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_may_mean_what_a_word_may_mean() {
        for (rule, directory, word, meets) in [
            ("**/.env", "/work", ".e*", true),
            ("**/.env", "/work", ".en?", true),
            ("**/.env", "/work", ".EN[v-z]", true),
            ("**/.env", "/work", ".*", true),
            ("**/.env", "/work", "*/.e*", true),
            ("**/.env", "/work", "**/.e*", true),
            ("**/.env", "/work", "*", false),
            ("**/.env", "/work", "?env", false),
            ("**/.env", "/work", "[.]env", false),
            ("**/.env", "/work", "*env", false),
            ("**/.env", "/work", ".ex*", false),
            ("**/.env.*", "/work", ".env.loc*", true),
            ("/home/agent/.ssh/", "/home/agent", ".ss*/id_*", true),
            ("/home/agent/.ssh/id_*", "/home/agent", ".ss*/id_*", true),
            ("/home/agent/.ssh/id_*", "/home/agent", "*/id_*", false),
            ("/home/agent/.aws/credentials", "/home/agent/.aws", "*", true),
            ("/home/agent/.aws/credentials", "/home/agent", "*", false),
            ("**/.git/hooks/", "/work/.git", "*", true),
            ("**/.git/hooks/", "/work/.git", "h*/pre-*", true),
            ("**/.git/hooks/", "/work", "*", false),
            ("**/.git/hooks/", "/work/src", "*.rs", false),
            ("**/id_*", "/work/build", "*.o", false),
            ("**/id_*", "/work", "id_r*", true),
            ("**/credentials*", "/work/src", "*", false),
            ("**/*secret*", "/work/src", "*.rs", false),
            ("**/*secret*", "/work", "*cret*", true),
            ("**/*.pem", "/work", "*.p?m", true),
            ("**/*.pem", "/work", "*.md", false),
            ("**/secrets/", "/work", "src/*/mod.rs", false),
            ("**/secrets/", "/work", "s*/mod.rs", true),
            ("**/secrets/**", "/work", "**/*.rs", false),
            ("/work/a/b/x.pem", "/work", "*/*/x.pem", true),
        ] {
            let glob = Glob::parse("", rule, true).unwrap();
            let word = Glob::of_word(&AbsPath::parse(directory).unwrap(), word);
            assert_eq!(glob.meets(true, &word), meets, "{rule} and {word:?}");
        }
    }

    #[test]
    fn bad_patterns_cost_little() {
        let rule = Glob::parse("", &format!("/{}b", "*a".repeat(2_000)), true).unwrap();
        let word = Glob::of_word(&AbsPath::root(), &"*a".repeat(120));
        assert!(!rule.meets(true, &word));
    }
}
