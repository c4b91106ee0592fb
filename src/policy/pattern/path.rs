//! Path patterns: `/abs/x`, `$workspace/`, `~/x`, `**/x`, `**`.
//!
//! A path is looked at in lanes: as written, as it really is, and every place a link on the way
//! led to. `allow` needs all lanes inside; `deny` fires on any. Comparison is by whole components.

use super::glob::keys::Key;
use super::glob::{self, Glob};
use super::spelling::{compatible, loosely};
use super::{Anchors, PatternError, Stance, braces, check_text, foreign};
use crate::limits::{PATH_BYTES_MAX, PATH_DEPTH_MAX};
use crate::model::path::{AbsPath, Extent, PathTarget, Real};
use crate::model::truth::Truth;
use crate::policy::diagnostic::surely_meant;

mod cover;
mod fitting;

/// A compiled path pattern, bound to the places its names stand for and to a stance.
#[derive(Debug, Clone)]
pub struct PathPattern {
    stance: Stance,
    shape: Shape,
    /// A place that it does not name, whatever it says.
    except: Option<AbsPath>,
}

#[derive(Debug, Clone)]
enum Shape {
    /// `**`: every path, and unknown.
    Every,
    /// What its braces stand for; nothing where it is anchored at a place that is not known here.
    AnyOf(Vec<Choice>),
}

#[derive(Debug, Clone)]
struct Choice {
    glob: Glob,
    /// It covers what lies below, too.
    below: bool,
    /// Its text before the first wildcard, by whole components.
    fixed: Option<AbsPath>,
}

/// One way of looking at the path of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane<'a> {
    /// As written.
    Written(&'a AbsPath),
    /// As it really is.
    Resolved(&'a Real),
    /// A place that a link on the way led to.
    Hop(&'a AbsPath),
    /// What lies below it; one path there, if it decided.
    Tree(Option<&'a AbsPath>),
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If it starts with none of `/`, `~/`, `$name` or `**`, is no glob, or could never match a
    /// path that is folded.
    pub fn parse(
        text: &str,
        anchors: &Anchors,
        stance: Stance,
    ) -> Result<PathPattern, PatternError> {
        check_text(text)?;
        foreign::path(text)?;
        if text == "**" {
            return Ok(PathPattern { stance, shape: Shape::Every, except: None });
        }
        let mut choices = Vec::new();
        let mut texts = braces::expand(text)?;
        if stance == Stance::Tighten && !text.is_ascii() {
            // A name that is written in another form of Unicode is meant as well.
            let composed = texts.iter().map(|text| compatible(text).into_owned());
            let other: Vec<String> = composed
                .filter(|text| !texts.contains(text) && check_components(text).is_ok())
                .collect();
            texts.extend(other);
        }
        for text in texts {
            check_components(&text)?;
            let (roots, rest) = anchor(&text, anchors, stance)?;
            // A deny reaches below what it names, whether or not it says so.
            let below = rest.ends_with('/') || stance == Stance::Tighten;
            for root in roots {
                if root.is_empty() && matches!(rest, "" | "/") {
                    return Ok(PathPattern { stance, shape: Shape::Every, except: None });
                }
                let glob = Glob::parse(root, rest, stance == Stance::Tighten)?;
                choices.push(Choice { fixed: glob.fixed(), glob, below });
            }
        }
        Ok(PathPattern { stance, shape: Shape::AnyOf(choices), except: None })
    }

    /// This path and what lies below it, held back; no character of it is a wildcard.
    #[must_use]
    pub fn held(path: &AbsPath) -> PathPattern {
        let glob = Glob::exactly(path, true);
        let choice = Choice { fixed: glob.fixed(), glob, below: true };
        PathPattern { stance: Stance::Tighten, shape: Shape::AnyOf(vec![choice]), except: None }
    }

    /// This very path, held back, and nothing of what lies below it: a link, of which only the
    /// place must stay.
    #[must_use]
    pub fn held_alone(path: &AbsPath) -> PathPattern {
        let glob = Glob::exactly(path, true);
        let choice = Choice { fixed: glob.fixed(), glob, below: false };
        PathPattern { stance: Stance::Tighten, shape: Shape::AnyOf(vec![choice]), except: None }
    }

    /// The same without what lies below it.
    #[must_use]
    pub fn alone(mut self) -> PathPattern {
        if let Shape::AnyOf(choices) = &mut self.shape {
            choices.iter_mut().for_each(|choice| choice.below = false);
        }
        self
    }

    /// The same without what lies in `root`.
    #[must_use]
    pub(super) fn but_not(mut self, root: &AbsPath) -> PathPattern {
        self.except = Some(root.clone());
        self
    }

    /// Whether the target is one that this pattern names.
    pub fn matches(&self, target: &PathTarget) -> Truth {
        match (&self.shape, self.stance) {
            // What is there now, and the pattern as it is written, decide for `**`.
            (Shape::Every, Stance::Tighten) if matches!(target.extent, Extent::Fitting(_)) => {
                Truth::No
            }
            (Shape::Every, _) => Truth::Yes,
            (Shape::AnyOf(choices), _) if choices.is_empty() => Truth::No,
            (Shape::AnyOf(_), Stance::Loosen) => {
                self.lanes(target).fold(Truth::Yes, |all, (_, lane)| all.and(lane))
            }
            (Shape::AnyOf(_), Stance::Tighten) => {
                self.lanes(target).fold(Truth::No, |any, (_, lane)| any.or(lane))
            }
        }
    }

    /// Whether it is `**` alone, which covers what is not known too.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self.shape, Shape::Every)
    }

    /// What `matches` sums up, lane by lane: all must say yes for what loosens, and one is enough
    /// for what tightens. (`**` looks at none.)
    pub fn lanes<'a>(
        &'a self,
        target: &'a PathTarget,
    ) -> impl Iterator<Item = (Lane<'a>, Truth)> + 'a {
        let of_pattern = matches!(target.extent, Extent::Fitting(_));
        let real = match &target.real {
            _ if of_pattern => Truth::No,
            Real::At(real) => Truth::from(self.covers(real)),
            Real::Unknown(_) => Truth::Maybe,
        };
        let first = [
            (Lane::Written(&target.written), Truth::from(self.covers(&target.written))),
            (Lane::Resolved(&target.real), real),
        ];
        let hops = target.hops.iter().map(|hop| (Lane::Hop(hop), Truth::from(self.covers(hop))));
        let itself = first.into_iter().chain(hops).filter(move |_| !of_pattern);
        itself.chain(self.tree(target))
    }

    /// What lies below the target, if it reaches there: with the path that decided, if one did.
    fn tree<'a>(&self, target: &'a PathTarget) -> Option<(Lane<'a>, Truth)> {
        let (decided, truth) = match (&target.extent, self.stance) {
            (Extent::Itself, _) => return None,
            (Extent::Below(paths) | Extent::Seen(paths), Stance::Loosen) => {
                let outside = match self.covers_tree(target) {
                    true => None,
                    false => paths.iter().find(|path| !self.covers(path)),
                };
                (outside, Truth::from(outside.is_none()))
            }
            (Extent::Seen(paths), Stance::Tighten) => {
                let there = paths.iter().find(|path| self.covers(path));
                (there, Truth::from(there.is_some()))
            }
            (Extent::Below(paths), Stance::Tighten) => {
                let there = paths.iter().find(|path| self.covers(path));
                (there, Truth::from(there.is_some() || self.fixed_part_below(target)))
            }
            (Extent::BelowUnknown(_), Stance::Loosen) => {
                (None, if self.covers_tree(target) { Truth::Yes } else { Truth::Maybe })
            }
            (Extent::BelowUnknown(_), Stance::Tighten) if self.fixed_part_below(target) => {
                (None, Truth::Yes)
            }
            (Extent::BelowUnknown(_), Stance::Tighten) => (None, self.could_lie_below(target)),
            (Extent::Fitting(pattern), _) => (None, self.fits(target, pattern)),
        };
        Some((Lane::Tree(decided), truth))
    }

    fn choices(&self) -> &[Choice] {
        match &self.shape {
            Shape::Every => &[],
            Shape::AnyOf(choices) => choices,
        }
    }

    /// Whether one lane of a target lies inside.
    pub(crate) fn covers(&self, path: &AbsPath) -> bool {
        let text = path.as_str();
        if self.except.as_ref().is_some_and(|root| path.is_within(root)) {
            return false;
        }
        let mut names = self.choices().iter();
        if names.any(|choice| choice.name(text)) {
            return true;
        }
        let read = if self.stance == Stance::Tighten { loosely(text) } else { None };
        read.is_some_and(|read| self.choices().iter().any(|choice| choice.name(&read)))
    }

    /// In which stance it is asked.
    pub(crate) fn stance(&self) -> Stance {
        self.stance
    }

    /// For each of what its braces stand for: what finds it, and its fixed part. None for `**`.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Vec<Key>, Option<&AbsPath>)> {
        self.choices().iter().map(|choice| (choice.glob.keys(choice.below), choice.fixed.as_ref()))
    }

    /// The pattern reaches below, and the whole tree lies inside it.
    fn covers_tree(&self, target: &PathTarget) -> bool {
        let Real::At(real) = &target.real else { return false };
        let holds = |root: &AbsPath| root.is_within(&target.written) || root.is_within(real);
        if self.except.as_ref().is_some_and(holds) {
            return false;
        }
        // Any name below must match, so names that no one would choose must, at either depth.
        let inside = |path: &AbsPath| {
            let mut depths = 1..=TREE_LEVELS;
            let reaching = || self.choices().iter().filter(|choice| choice.below);
            has_room_below(path)
                && depths.all(|levels| {
                    reaching().any(|choice| choice.glob.is_above_any_name(path.as_str(), levels))
                })
        };
        inside(&target.written) && inside(real)
    }

    /// The text before the first wildcard names something strictly below the tree's root.
    fn fixed_part_below(&self, target: &PathTarget) -> bool {
        let below = |root: &AbsPath, fixed: &AbsPath| fixed != root && fixed.is_within(root);
        self.choices().iter().filter_map(|choice| choice.fixed.as_ref()).any(|fixed| {
            below(&target.written, fixed)
                || matches!(&target.real, Real::At(real) if below(real, fixed))
        })
    }

    fn could_lie_below(&self, target: &PathTarget) -> Truth {
        let mut answer = Truth::No;
        for choice in self.choices() {
            answer = answer.or(match &choice.fixed {
                Some(fixed) if !target.written.is_within(fixed) => Truth::No,
                // Without a fixed part it may name anything anywhere.
                Some(_) | None => Truth::Maybe,
            });
        }
        answer
    }
}

/// How deep below a tree's root names are tried that no one would choose.
const TREE_LEVELS: usize = 2;

/// A path that is as long as one may be has nothing below it that could be covered.
fn has_room_below(path: &AbsPath) -> bool {
    let text = path.as_str();
    text.len() + 2 * TREE_LEVELS <= PATH_BYTES_MAX
        && path.components().count() + TREE_LEVELS <= PATH_DEPTH_MAX
}

impl Choice {
    fn name(&self, path: &str) -> bool {
        self.glob.covers(path, self.below)
    }
}

/// Paths are compared folded, so a pattern with `.`, `..` or an empty component matches none.
fn check_components(text: &str) -> Result<(), PatternError> {
    let inner = text.strip_suffix('/').unwrap_or(text);
    for component in inner.split('/').skip(1) {
        let what = match component {
            "" => "an empty component".to_owned(),
            "." | ".." => format!("the component `{component}`"),
            _ => continue,
        };
        let message = format!("a path pattern with {what} matches no path");
        return Err(PatternError::new(message)
            .help("paths are compared folded: write the path that is meant, without it"));
    }
    Ok(())
}

/// The place that the pattern's first name stands for, by each of its names, and what follows it;
/// none if a loosening pattern is anchored at a place that is not known here.
fn anchor<'a>(
    text: &'a str,
    anchors: &'a Anchors,
    stance: Stance,
) -> Result<(Vec<&'a str>, &'a str), PatternError> {
    if text.starts_with("**/") || text.starts_with('/') {
        return Ok((vec![""], text));
    }
    let (name, rest) = match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => ("home", rest),
        Some(_) => return Err(bad_start(text)),
        None => {
            let Some(named) = text.strip_prefix('$') else { return Err(bad_start(text)) };
            named.split_at_checked(named.find('/').unwrap_or(named.len())).unwrap_or((named, ""))
        }
    };
    let place = match name {
        "workspace" => Some(&anchors.workspace),
        "tmp" => Some(&anchors.tmp),
        "home" => anchors.home.as_ref(),
        other => {
            let error = PatternError::new(format!("`${other}` names no place"));
            return Err(match surely_meant(other, ["workspace", "tmp", "home"]) {
                Some(meant) => error
                    .help(format!("did you mean `${meant}{rest}`?"))
                    .fix(text, format!("${meant}{rest}")),
                None => error.help(
                    "the places are $workspace, $home and $tmp; lists stand alone, as `$list`",
                ),
            });
        }
    };
    let roots = match (place, stance) {
        (Some(place), _) => {
            anchors.names_of(place).map(|name| name.as_str().trim_end_matches('/')).collect()
        }
        (None, Stance::Tighten) => vec![glob::ANYWHERE],
        (None, Stance::Loosen) => Vec::new(),
    };
    Ok((roots, rest))
}

fn bad_start(text: &str) -> PatternError {
    PatternError::new("a path pattern must start with `/`, `~/`, `$name` or `**/`")
        .help(format!("write `$workspace/{text}` for that path, or `**/{text}` for any directory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::doubt::Doubt;

    fn path(text: &str) -> AbsPath {
        AbsPath::parse(text).unwrap()
    }

    fn pattern(text: &str, stance: Stance) -> PathPattern {
        PathPattern::parse(text, &Anchors::frozen(None), stance).unwrap()
    }

    fn check(text: &str, target: &PathTarget, loosen: Truth, tighten: Truth) {
        let got = [Stance::Loosen, Stance::Tighten].map(|s| pattern(text, s).matches(target));
        assert_eq!(got, [loosen, tighten], "{text} on {target:?}");
    }

    #[test]
    fn plain_paths() {
        use Truth::{No, Yes};
        for (text, target, loosen, tighten) in [
            ("$workspace/", "/work", Yes, Yes),
            ("$workspace/", "/work/a/b", Yes, Yes),
            ("$workspace/", "/work-old/a", No, No),
            ("/etc/hosts", "/etc/hosts", Yes, Yes),
            ("/etc/hosts", "/etc/hosts/x", No, Yes),
            ("**/.env", "/work/.env", Yes, Yes),
            ("**/.env", "/.env", Yes, Yes),
            ("**/.env", "/work/.ENV", No, Yes),
            ("**/.env", "/work/.env.", No, Yes),
            ("**/.env.*", "/work/.env.local", Yes, Yes),
            ("**/.env.{example,sample}", "/work/.env.example", Yes, Yes),
            ("/work/*", "/work/a/b", No, Yes),
            ("/work/*", "/work/.hidden", Yes, Yes),
            ("~/.ssh/", "/home/agent/.ssh/id", Yes, Yes),
            ("**", "/anything", Yes, Yes),
        ] {
            check(text, &PathTarget::plain(path(target)), loosen, tighten);
        }
    }

    #[test]
    fn links_and_unknowns() {
        let mut link = PathTarget::plain(path("/work/notes"));
        link.real = Real::At(path("/etc/shadow"));
        check("$workspace/", &link, Truth::No, Truth::Yes);
        check("/etc/shadow", &link, Truth::No, Truth::Yes);
        let mut hop = PathTarget::plain(path("/work/a"));
        hop.hops = vec![path("/secret/b")];
        check("$workspace/", &hop, Truth::No, Truth::Yes);
        check("/secret/", &hop, Truth::No, Truth::Yes);
        let mut unknown = PathTarget::plain(path("/work/a"));
        unknown.real = Real::Unknown(Doubt::OutsideMounts);
        check("$workspace/", &unknown, Truth::Maybe, Truth::Yes);
        check("/etc/", &unknown, Truth::No, Truth::Maybe);
    }

    #[test]
    fn trees() {
        let tree = |extent| PathTarget { extent, ..PathTarget::plain(path("/work/app")) };
        let below = tree(Extent::Below(vec![path("/work/app/.env"), path("/work/app/a")]));
        check("$workspace/", &below, Truth::Yes, Truth::Yes);
        check("**/.env", &below, Truth::No, Truth::Yes);
        check("/work/app/.git/hooks/", &below, Truth::No, Truth::Yes);
        let unknown = tree(Extent::BelowUnknown(Doubt::TreeUnknown));
        check("$workspace/", &unknown, Truth::Yes, Truth::Yes);
        check("**/.env", &unknown, Truth::No, Truth::Maybe);
        check("/etc/", &unknown, Truth::No, Truth::No);
    }

    #[test]
    fn an_unknown_home_is_any_directory_for_a_deny_and_none_for_an_allow() {
        let anchors = Anchors { home: None, ..Anchors::frozen(None) };
        let target = PathTarget::plain(path("/home/other/.ssh/id"));
        let deny = PathPattern::parse("$home/.ssh/", &anchors, Stance::Tighten).unwrap();
        let allow = PathPattern::parse("$home/.ssh/", &anchors, Stance::Loosen).unwrap();
        assert_eq!((deny.matches(&target), allow.matches(&target)), (Truth::Yes, Truth::No));
    }

    #[test]
    fn what_is_no_pattern() {
        for text in [
            "src/",
            "./x",
            "~user/x",
            "$nowhere/x",
            "/a/[",
            "",
            "/a/../b",
            "/c/./d",
            "/e//f",
            "/a/..",
            "/.",
            "//",
            "/a//",
            "$workspace/../out/",
            "~/..",
            "**/../x",
            "/a/{b,..}/c",
            "/a\u{200b}",
            "/a\u{202e}b",
            "/a\nb",
            "/{a}",
            "/a{b",
            "{$workspace,x}/y",
        ] {
            let read = PathPattern::parse(text, &Anchors::frozen(None), Stance::Loosen);
            assert!(read.is_err(), "{text:?}");
        }
    }
}
