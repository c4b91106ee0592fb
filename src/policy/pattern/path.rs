//! Path patterns: `/abs/x`, `$workspace/`, `~/x`, `**/x`, `**`.
//!
//! A path is looked at in lanes: as written, as it really is, and every place a link on the way
//! led to. `allow` needs all lanes inside; `deny` fires on any. Comparison is by whole components.

use super::{Anchors, PatternError, Stance};
use crate::model::path::{AbsPath, Extent, PathTarget, Real};
use crate::model::truth::Truth;
use globset::{GlobBuilder, GlobMatcher};

/// A compiled path pattern, bound to the places its names stand for and to a stance.
#[derive(Debug, Clone)]
pub struct PathPattern {
    stance: Stance,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    /// `**`: every path, and unknown.
    Every,
    /// Anchored at a place that is not known here: a loosening pattern that never matches.
    Never,
    /// A glob over the whole path.
    Glob(Box<Globs>),
}

#[derive(Debug, Clone)]
struct Globs {
    /// The path itself.
    own: GlobMatcher,
    /// Everything below it, if it reaches below.
    below: Option<GlobMatcher>,
    /// The text before the first wildcard, by whole components; nothing for `**/x`.
    fixed: Option<AbsPath>,
}

impl PathPattern {
    /// Reads a pattern (braces are part of the glob).
    ///
    /// # Errors
    /// If it starts with none of `/`, `~/`, `$name` or `**`, or is no glob.
    pub fn parse(
        text: &str,
        anchors: &Anchors,
        stance: Stance,
    ) -> Result<PathPattern, PatternError> {
        if text == "**" {
            return Ok(PathPattern { stance, shape: Shape::Every });
        }
        let Some(absolute) = anchor(text, anchors, stance)? else {
            return Ok(PathPattern { stance, shape: Shape::Never });
        };
        let shape = shape(&absolute, stance)?;
        Ok(PathPattern { stance, shape })
    }

    /// Whether the target is one that this pattern names.
    pub fn matches(&self, target: &PathTarget) -> Truth {
        match (&self.shape, self.stance) {
            (Shape::Every, _) => Truth::Yes,
            (Shape::Never, _) => Truth::No,
            (Shape::Glob(_), Stance::Loosen) => self.loosens(target),
            (Shape::Glob(_), Stance::Tighten) => self.tightens(target),
        }
    }

    /// Whether it is `**` alone, which covers what is not known too.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self.shape, Shape::Every)
    }

    fn loosens(&self, target: &PathTarget) -> Truth {
        let mut answer = Truth::from(self.covers(&target.written));
        answer = answer.and(match &target.real {
            Real::At(real) => Truth::from(self.covers(real)),
            Real::Unknown(_) => Truth::Maybe,
        });
        for hop in &target.hops {
            answer = answer.and(Truth::from(self.covers(hop)));
        }
        answer.and(match &target.extent {
            Extent::Itself => Truth::Yes,
            Extent::Below(paths) => {
                Truth::from(self.covers_tree(target) || paths.iter().all(|path| self.covers(path)))
            }
            Extent::BelowUnknown(_) if self.covers_tree(target) => Truth::Yes,
            Extent::BelowUnknown(_) => Truth::Maybe,
        })
    }

    fn tightens(&self, target: &PathTarget) -> Truth {
        let mut answer = Truth::from(self.covers(&target.written));
        answer = answer.or(match &target.real {
            Real::At(real) => Truth::from(self.covers(real)),
            Real::Unknown(_) => Truth::Maybe,
        });
        for hop in &target.hops {
            answer = answer.or(Truth::from(self.covers(hop)));
        }
        answer.or(match &target.extent {
            Extent::Itself => Truth::No,
            Extent::Below(paths) => {
                let there = paths.iter().any(|path| self.covers(path));
                Truth::from(there || self.fixed_part_below(target))
            }
            Extent::BelowUnknown(_) if self.fixed_part_below(target) => Truth::Yes,
            Extent::BelowUnknown(_) => self.could_lie_below(target),
        })
    }

    fn covers(&self, path: &AbsPath) -> bool {
        match &self.shape {
            Shape::Every => true,
            Shape::Never => false,
            Shape::Glob(globs) => {
                globs.name(path.as_str())
                    || (self.stance == Stance::Tighten && globs.name_trimmed(path.as_str()))
            }
        }
    }

    /// The pattern reaches below, and the whole tree lies inside it.
    fn covers_tree(&self, target: &PathTarget) -> bool {
        let Shape::Glob(globs) = &self.shape else { return false };
        let (Some(below), Real::At(real)) = (&globs.below, &target.real) else { return false };
        // Any name below must match, so names that no one would choose must.
        let inside = |path: &AbsPath| {
            ["\u{1}", "\u{1}/\u{1}"]
                .iter()
                .all(|name| path.join(name).is_ok_and(|probe| below.is_match(probe.as_str())))
        };
        inside(&target.written) && inside(real)
    }

    /// The text before the first wildcard names something strictly below the tree's root.
    fn fixed_part_below(&self, target: &PathTarget) -> bool {
        let Shape::Glob(globs) = &self.shape else { return false };
        let Some(fixed) = &globs.fixed else { return false };
        let below = |root: &AbsPath| fixed != root && fixed.is_within(root);
        below(&target.written) || matches!(&target.real, Real::At(real) if below(real))
    }

    fn could_lie_below(&self, target: &PathTarget) -> Truth {
        match &self.shape {
            Shape::Every => Truth::Yes,
            Shape::Never => Truth::No,
            Shape::Glob(globs) => match &globs.fixed {
                Some(fixed) if target.written.is_within(fixed) => Truth::Maybe,
                Some(_) => Truth::No,
                // It may name anything anywhere.
                None => Truth::Maybe,
            },
        }
    }
}

impl Globs {
    fn name(&self, path: &str) -> bool {
        self.own.is_match(path) || self.below.as_ref().is_some_and(|glob| glob.is_match(path))
    }

    /// Names with trailing dots or blanks are the same file on some file systems: for denies only.
    fn name_trimmed(&self, path: &str) -> bool {
        let trimmed = path.trim_end_matches(['.', ' ']);
        trimmed.len() < path.len() && self.name(trimmed)
    }
}

/// The pattern with its first name replaced by the place it stands for; nothing if a loosening
/// pattern is anchored at a place that is not known here.
fn anchor(text: &str, anchors: &Anchors, stance: Stance) -> Result<Option<String>, PatternError> {
    if text.starts_with("**/") || text.starts_with('/') {
        return Ok(Some(text.to_owned()));
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
            return Err(PatternError::new(format!("`${other}` names no place"))
                .help("the places are $workspace, $home and $tmp; lists stand alone, as `$list`"));
        }
    };
    Ok(match (place, stance) {
        (Some(place), _) => {
            Some(format!("{}{rest}", globset::escape(place.as_str().trim_end_matches('/'))))
        }
        (None, Stance::Tighten) => Some(format!("**{rest}")),
        (None, Stance::Loosen) => None,
    })
}

fn bad_start(text: &str) -> PatternError {
    PatternError::new("a path pattern must start with `/`, `~/`, `$name` or `**/`")
        .help(format!("write `$workspace/{text}` for that path, or `**/{text}` for any directory"))
}

fn shape(absolute: &str, stance: Stance) -> Result<Shape, PatternError> {
    let tree = absolute.len() > 1 && absolute.ends_with('/');
    let base = if tree { absolute.trim_end_matches('/') } else { absolute };
    if base.is_empty() || base == "/" {
        return Ok(Shape::Every);
    }
    let own = glob(base, stance)?;
    // A deny reaches below what it names, whether or not it says so.
    let reaches_below = tree || stance == Stance::Tighten;
    let below = if reaches_below { Some(glob(&format!("{base}/**"), stance)?) } else { None };
    Ok(Shape::Glob(Box::new(Globs { own, below, fixed: fixed_part(base) })))
}

fn glob(pattern: &str, stance: Stance) -> Result<GlobMatcher, PatternError> {
    let built = GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .empty_alternates(true)
        .case_insensitive(stance == Stance::Tighten)
        .build();
    match built {
        Ok(glob) => Ok(glob.compile_matcher()),
        Err(error) => Err(PatternError::new(format!("this is no glob: {}", error.kind()))),
    }
}

/// The whole components before the first wildcard.
fn fixed_part(pattern: &str) -> Option<AbsPath> {
    if !pattern.starts_with('/') {
        return None;
    }
    let plain = |component: &&str| !component.contains(['*', '?', '[', '{', '\\']);
    let kept: Vec<&str> = pattern.split('/').take_while(plain).collect();
    AbsPath::parse(&format!("/{}", kept.join("/"))).ok()
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
        for text in ["src/", "./x", "~user/x", "$nowhere/x", "/a/[", ""] {
            let read = PathPattern::parse(text, &Anchors::frozen(None), Stance::Loosen);
            assert!(read.is_err(), "{text:?}");
        }
    }
}
