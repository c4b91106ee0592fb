//! One path pattern without alternatives, compared with paths by whole components.
//!
//! Most patterns have no wildcard: they are kept as their text. The others are a list of
//! components. Nothing is compiled, so many patterns cost little more than their own length.

pub(crate) mod keys;

use super::PatternError;
use super::fold::{folded, is_folded, lower, upper};
use crate::model::path::AbsPath;

mod cover;
mod meet;

/// A root that stands for any directory.
pub(super) const ANYWHERE: &str = "**";
/// A name that no one would choose: what covers it covers any name.
const UNLIKELY: &str = "\u{1}";

/// A path with `*`, `?`, `[...]` within components and `**` for any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    shape: Shape,
    /// Letters are compared without their case.
    fold: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// This very path, starting with `/`.
    Plain(Box<str>),
    /// Component by component.
    Parts {
        parts: Box<[Part]>,
        /// It ends in `/**`: only what lies below is meant.
        only_below: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Plain(Box<str>),
    /// `**`: any number of components, none too.
    AnyDepth,
    Wild(Wild),
}

/// A component with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wild {
    pieces: Box<[Piece]>,
    /// The texts before, between and after its `*`s, a `/` between two, folded if the glob is;
    /// where it has no other wildcard. Such components are compared text by text.
    texts: Option<Box<str>>,
}

/// What one component is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `?`
    Any,
    /// `*`
    Run,
    /// `[a-z]`, `[!a-z]`
    Class {
        negated: bool,
        ranges: Box<[(char, char)]>,
    },
}

impl Glob {
    /// This very path, whatever characters it has.
    pub(super) fn exactly(path: &AbsPath, fold: bool) -> Glob {
        Glob { shape: Shape::Plain(path.as_str().into()), fold }
    }

    /// Reads what follows `root`, a pattern that starts with `/`. `root` is `/`-less at its end
    /// and stands for itself; without one, the pattern may start with `**/`.
    ///
    /// # Errors
    /// If a class is not closed, or a brace is left.
    pub(super) fn parse(root: &str, rest: &str, fold: bool) -> Result<Glob, PatternError> {
        let anywhere = (root == ANYWHERE).then_some(Ok(Part::AnyDepth));
        let fixed = root.split('/').skip(1).map(|name| Ok(Part::Plain(name.into())));
        let fixed = anywhere.into_iter().chain(fixed);
        let start = rest.strip_prefix('/').unwrap_or(rest);
        let written = start.split('/').filter(|text| !text.is_empty()).map(|text| part(text, fold));
        let mut parts: Vec<Part> = fixed.chain(written).collect::<Result<_, _>>()?;
        parts.dedup_by(|a, b| *a == Part::AnyDepth && *b == Part::AnyDepth);
        let plain = |part: &Part| match part {
            Part::Plain(text) => Some(format!("/{text}")),
            Part::AnyDepth | Part::Wild(_) => None,
        };
        if let Some(text) = parts.iter().map(plain).collect::<Option<String>>() {
            return Ok(Glob { shape: Shape::Plain(text.into()), fold });
        }
        let only_below = parts.last() == Some(&Part::AnyDepth);
        if only_below {
            parts.pop();
        }
        Ok(Glob { shape: Shape::Parts { parts: parts.into(), only_below }, fold })
    }

    /// Whether it names this path, or with `below` also one that this path lies below.
    pub(super) fn covers(&self, path: &str, below: bool) -> bool {
        match &self.shape {
            Shape::Plain(text) => match self.after(text, path) {
                Some("") => true,
                Some(rest) => below && rest.starts_with('/'),
                None => false,
            },
            // `**` alone is the root too.
            Shape::Parts { parts, only_below: true } if parts.is_empty() => true,
            Shape::Parts { parts, only_below } => {
                let reach = match (only_below, below) {
                    (true, _) => Reach::Below,
                    (false, true) => Reach::Either,
                    (false, false) => Reach::Itself,
                };
                self.walk(parts, Names::of(path), reach)
            }
        }
    }

    /// Whether what lies so many levels below `path`, by names that no one would choose, lies below
    /// one that it names.
    pub(super) fn is_above_any_name(&self, path: &str, levels: usize) -> bool {
        match &self.shape {
            Shape::Plain(text) => {
                self.after(text, path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Shape::Parts { parts, .. } => {
                self.walk(parts, Names { levels, ..Names::of(path) }, Reach::Below)
            }
        }
    }

    /// The whole components before the first wildcard; nothing for `**/x`.
    pub(super) fn fixed(&self) -> Option<AbsPath> {
        let parts = match &self.shape {
            Shape::Plain(text) => return AbsPath::parse(text).ok(),
            Shape::Parts { parts, .. } => parts,
        };
        if matches!(parts.first(), None | Some(Part::AnyDepth)) {
            return None;
        }
        let plain = parts.iter().map_while(|part| match part {
            Part::Plain(text) => Some(text.as_ref()),
            Part::AnyDepth | Part::Wild(_) => None,
        });
        AbsPath::parse(&format!("/{}", plain.collect::<Vec<_>>().join("/"))).ok()
    }

    /// What follows `text` in `path`.
    fn after<'p>(&self, text: &str, path: &'p str) -> Option<&'p str> {
        if let Some(rest) = path.strip_prefix(text) {
            return Some(rest);
        }
        if !self.fold {
            return None;
        }
        let mut left = path.chars();
        for expected in text.chars() {
            let c = left.next()?;
            if c != expected && folded(c) != folded(expected) {
                return None;
            }
        }
        Some(left.as_str())
    }

    /// Whether `parts` are all of the names, or all but some at their end, as `reach` says. Only
    /// the last `**` is ever tried again, so time is at most their product.
    fn walk(&self, parts: &[Part], names: Names<'_>, reach: Reach) -> bool {
        let (mut at, mut left) = (0, names);
        let mut again: Option<(usize, Names<'_>)> = None;
        loop {
            let next = left.next();
            let reached = match reach {
                Reach::Itself => next.is_none(),
                Reach::Below => next.is_some(),
                Reach::Either => true,
            };
            if reached && at == parts.len() {
                return true;
            }
            let fits = match (parts.get(at), next) {
                (Some(Part::AnyDepth), _) => {
                    at += 1;
                    again = Some((at, left));
                    continue;
                }
                (Some(Part::Plain(text)), Some((name, _))) => self.after(text, name) == Some(""),
                (Some(Part::Wild(wild)), Some((name, _))) => match &wild.texts {
                    Some(texts) if !self.fold || is_folded(name) => has_in_order(texts, name),
                    Some(_) | None => self.fits(&wild.pieces, name),
                },
                (None, _) | (_, None) => false,
            };
            if let (true, Some((_, rest))) = (fits, next) {
                (at, left) = (at + 1, rest);
                continue;
            }
            let Some((part, from)) = &mut again else { return false };
            let Some((_, rest)) = from.next() else { return false };
            *from = rest;
            (at, left) = (*part, rest);
        }
    }

    fn fits(&self, pieces: &[Piece], name: &str) -> bool {
        let (mut p, mut left) = (0, name.chars());
        let mut again: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut ahead = left.clone();
            let next = ahead.next();
            let fits = match (pieces.get(p), next) {
                (None, None) => return true,
                (Some(Piece::Run), _) => {
                    p += 1;
                    again = Some((p, left.clone()));
                    continue;
                }
                (Some(Piece::Any), Some(_)) => true,
                (Some(Piece::Char(expected)), Some(c)) => {
                    c == *expected || (self.fold && folded(c) == folded(*expected))
                }
                (Some(Piece::Class { negated, ranges }), Some(c)) => {
                    self.in_class(ranges, c) != *negated
                }
                (None, Some(_)) | (Some(_), None) => false,
            };
            if fits {
                p += 1;
                left = ahead;
                continue;
            }
            let Some((part, rest)) = &mut again else { return false };
            if rest.next().is_none() {
                return false;
            }
            p = *part;
            left = rest.clone();
        }
    }

    fn in_class(&self, ranges: &[(char, char)], c: char) -> bool {
        let inside = |c: char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&c));
        inside(c) || (self.fold && (inside(lower(c)) || inside(upper(c)) || inside(folded(c))))
    }
}

/// Where a glob that was walked may leave the path.
#[derive(Debug, Clone, Copy)]
enum Reach {
    /// At its end.
    Itself,
    /// Before its end.
    Below,
    /// Wherever it is.
    Either,
}

/// The components of a path from some place on, and then so many that no one would choose.
#[derive(Debug, Clone, Copy)]
struct Names<'a> {
    /// What is left of the path.
    left: Option<&'a str>,
    levels: usize,
}

impl<'a> Names<'a> {
    fn of(path: &'a str) -> Names<'a> {
        Names { left: path.split_once('/').map(|(_, left)| left), levels: 0 }
    }

    fn next(self) -> Option<(&'a str, Names<'a>)> {
        match self.left {
            // What lies below the root has no empty name before it.
            Some("") if self.levels > 0 => Names { left: None, ..self }.next(),
            Some(left) => {
                // Names are short: this is quicker than to set out a search.
                let end = left.bytes().position(|byte| byte == b'/');
                let name = end.and_then(|end| left.get(..end)).unwrap_or(left);
                Some((name, Names { left: end.and_then(|end| left.get(end + 1..)), ..self }))
            }
            None if self.levels > 0 => Some((UNLIKELY, Names { levels: self.levels - 1, ..self })),
            None => None,
        }
    }
}

/// Whether the name begins with the first text and ends in the last, and has the others between
/// them in this order. A `/` stands between two texts.
fn has_in_order(texts: &str, name: &str) -> bool {
    let mut texts = texts.as_bytes().split(|byte| *byte == b'/');
    let first = texts.next().unwrap_or_default();
    let last = texts.next_back().unwrap_or_default();
    let Some(rest) = name.as_bytes().strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    for text in texts {
        match after_first(rest, text) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// What follows the first place where the text stands; it is not empty.
fn after_first<'a>(name: &'a [u8], text: &[u8]) -> Option<&'a [u8]> {
    let [first, others @ ..] = text else { return Some(name) };
    let mut left = name;
    loop {
        let at = left.iter().position(|byte| byte == first)?;
        left = left.get(at + 1..)?;
        if let Some(after) = left.strip_prefix(others) {
            return Some(after);
        }
    }
}

fn part(text: &str, fold: bool) -> Result<Part, PatternError> {
    if text == "**" {
        return Ok(Part::AnyDepth);
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next) => pieces.push(Piece::Char(next)),
                None => {
                    return Err(PatternError::new("this is no glob: nothing follows a `\\`")
                        .help("write `\\\\` for the character itself"));
                }
            },
            '*' if pieces.last() == Some(&Piece::Run) => {}
            '*' => pieces.push(Piece::Run),
            '?' => pieces.push(Piece::Any),
            '[' => pieces.push(class(&mut chars)?),
            '{' | '}' => {
                return Err(PatternError::new(format!(
                    "this is no glob: `{c}` has no alternatives"
                ))
                .help(format!("write `{{a,b}}` for a or b, and `\\{c}` for the character")));
            }
            other => pieces.push(Piece::Char(other)),
        }
    }
    let plain = |piece: &Piece| match piece {
        Piece::Char(c) => Some(*c),
        Piece::Any | Piece::Run | Piece::Class { .. } => None,
    };
    Ok(match pieces.iter().map(plain).collect::<Option<String>>() {
        Some(text) => Part::Plain(text.into()),
        None => Part::Wild(Wild { texts: texts(&pieces, fold), pieces: pieces.into() }),
    })
}

/// The texts before, between and after the runs of a component that has no other wildcards. No
/// character of it is a `/`.
fn texts(pieces: &[Piece], fold: bool) -> Option<Box<str>> {
    let letter = |piece: &Piece| match piece {
        Piece::Char(c) => Some(if fold { folded(*c) } else { *c }),
        Piece::Run => Some('/'),
        Piece::Any | Piece::Class { .. } => None,
    };
    pieces.iter().map(letter).collect::<Option<String>>().map(Into::into)
}

/// What follows a `[`. A `]` that stands first is a member; there is no escape inside.
fn class(chars: &mut std::str::Chars<'_>) -> Result<Piece, PatternError> {
    let open = || {
        PatternError::new("this is no glob: a `[` is not closed")
            .help("close it before the next `/`, or write `\\[` for the character itself")
    };
    let mut ahead = chars.clone();
    let negated = matches!(ahead.next(), Some('!' | '^'));
    if negated {
        *chars = ahead;
    }
    let mut ranges: Vec<(char, char)> = Vec::new();
    loop {
        let from = chars.next().ok_or_else(open)?;
        if from == ']' && !ranges.is_empty() {
            return Ok(Piece::Class { negated, ranges: ranges.into() });
        }
        let mut ahead = chars.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' => {
                *chars = ahead;
                to
            }
            _ => from,
        };
        if from > to {
            return Err(PatternError::new(format!(
                "this is no glob: the range `{from}-{to}` is empty"
            ))
            .help(format!("write it as `{to}-{from}`")));
        }
        ranges.push((from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use globset::GlobBuilder;
    use proptest::prelude::any;
    use proptest::test_runner::TestRunner;

    fn reference(pattern: &str, path: &str, fold: bool) -> bool {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .empty_alternates(true)
            .case_insensitive(fold)
            .build();
        glob.unwrap().compile_matcher().is_match(path)
    }

    fn holds(pattern: &str, path: &str, fold: bool) {
        let glob = Glob::parse("", pattern, fold).unwrap();
        let named = reference(pattern, path, fold);
        assert_eq!(glob.covers(path, false), named, "{pattern} is {path}, {fold}");
        let below = named || reference(&format!("{pattern}/**"), path, fold);
        assert_eq!(glob.covers(path, true), below, "{pattern} above {path}, {fold}");
    }

    #[test]
    fn it_is_as_globset_has_it() {
        for pattern in [
            "/a",
            "/a/b",
            "/a/*",
            "/*",
            "/a/**",
            "**/a",
            "**/*.b",
            "/a/**/b",
            "/a?",
            "/[a-c]x",
            "/[!a]",
            "/a*b*c",
            "**/a/**",
            "/a/**/**/b",
            "**/.env.*",
            "/\\*",
            "/[]a]",
            "/a**b",
        ] {
            for path in [
                "/",
                "/a",
                "/A",
                "/a/b",
                "/a/x/b",
                "/a/x/y/b",
                "/x/a",
                "/x/a/y",
                "/ax",
                "/bx",
                "/abc",
                "/aXbXc",
                "/b/a/b/a/c",
                "/.env.x",
                "/x/.ENV.y",
                "/*",
                "/]",
                "/a/",
                "/acb",
            ] {
                holds(pattern, path, false);
                holds(pattern, path, true);
            }
        }
    }

    #[test]
    fn characters_are_not_bytes_and_case_is_not_only_latin() {
        for (pattern, path, fold, expected) in [
            ("/?", "/é", false, true),
            ("/[!a]", "/é", false, true),
            ("/[à-ö]", "/é", false, true),
            ("/É", "/é", true, true),
            ("/É", "/é", false, false),
            ("/K", "/\u{212a}", true, true),
            ("/s*", "/\u{17f}x", true, true),
            ("/ß", "/ẞ", true, true),
            ("/ß", "/ss", true, false),
        ] {
            let glob = Glob::parse("", pattern, fold).unwrap();
            assert_eq!(glob.covers(path, false), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_no_glob() {
        for text in ["/[", "/[a/b]", "/{a}", "/}", "/a\\", "/[z-a]"] {
            assert!(Glob::parse("", text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn a_root_is_taken_as_it_is() {
        let glob = Glob::parse("/a[b]*", "/c", false).unwrap();
        assert!(glob.covers("/a[b]*/c", false) && !glob.covers("/abx/c", false));
    }

    #[test]
    fn bad_patterns_cost_little() {
        let name = "a".repeat(255);
        let path = format!("/{name}").repeat(15);
        for pattern in [format!("/{}b", "*a".repeat(2_000)), "/**/a*".repeat(600)] {
            assert!(!Glob::parse("", &pattern, true).unwrap().covers(&path, true));
        }
    }

    /// The same texts in every run: globset lets a `*` behind a leading `**/` stand for the nothing
    /// before the root's slash, which no component is, so patterns begin with the root here.
    #[test]
    fn it_is_as_globset_has_it_everywhere() {
        let part = "\\*\\*|[ab*?]{1,4}|\\[[ab]\\]b?|A";
        let parts = proptest::collection::vec(part, 1..5);
        let cases = (parts, "(/[abA]{1,3}){1,5}", any::<bool>());
        let mut runner = TestRunner::deterministic();
        let ran = runner.run(&cases, |(parts, path, fold)| {
            holds(&format!("/{}", parts.join("/")), &path, fold);
            Ok(())
        });
        ran.unwrap();
    }
}
