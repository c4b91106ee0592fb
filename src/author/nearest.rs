//! The allows that come nearest to an access which no rule speaks of (`policy explain`).
//!
//! They are looked up by what is written in them: a hint for the author of what to change, and no
//! word on what would be allowed then. So it may miss a rule, and decides nothing.

use super::explain::Written;
use crate::engine::{Base, ExplainedAccess, ExplainedLayer};
use crate::model::access::{Target, Verb};
use crate::model::effect::{Effect, Verdict};
use crate::model::url::Destination;
use crate::policy::document::PatternText;
use crate::policy::pattern::Anchors;
use crate::policy::rule::{Policy, Power, Rule, Says, Targets};

/// How many are told.
const TOLD_MAX: usize = 3;

/// One rule that comes near.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Its id.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// The line there.
    pub line: usize,
    /// In what it differs.
    pub differs: &'static str,
}

/// The nearest first; nothing where some rule did speak, or the access is let through anyway.
#[must_use]
pub fn nearest(
    one: &ExplainedAccess,
    policy: &Policy,
    written: &Written<'_>,
    anchors: &Anchors,
) -> Vec<Near> {
    let fell =
        |layer: &ExplainedLayer| layer.base == Base::Fallback && layer.verdict == one.verdict;
    let held = matches!(one.verdict, Some(Verdict::Deny | Verdict::Ask));
    if !held || !one.layers.iter().any(fell) {
        return Vec::new();
    }
    let Some(probe) = Probe::of(&one.access.target) else { return Vec::new() };
    let mut found: Vec<(usize, Near)> = Vec::new();
    for layer in policy.layers.iter().filter(|layer| layer.power != Power::Tighten) {
        for rule in layer.rules.iter().filter(|rule| could_allow(rule, probe.verb)) {
            let Some(texts) = written.of_rule(&rule.origin.file, &rule.id) else { continue };
            let patterns = texts.matches.iter().filter_map(|pattern| match &pattern.text {
                PatternText::Text(text) => probe.differs(text, anchors),
                PatternText::Regex(_) | PatternText::Entropy { .. } => None,
            });
            let Some((rank, differs)) = patterns.min() else { continue };
            let (id, file, line) = (rule.id.clone(), rule.origin.file.clone(), rule.origin.line);
            found.push((rank, Near { id, file, line, differs }));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, near)| near).take(TOLD_MAX).collect()
}

fn could_allow(rule: &Rule, verb: Verb) -> bool {
    let of_verb = match &rule.scope.targets {
        Targets::Paths { verbs, .. } => verbs.contains(&verb),
        Targets::Exec { .. } => verb == Verb::Exec,
        Targets::Connect { .. } => verb == Verb::Connect,
        Targets::Call { .. } => verb == Verb::Call,
        Targets::Output { .. } => false,
    };
    of_verb && !rule.shadow && rule.says == Says::Effect(Effect::Allow)
}

/// What is compared with the rules' texts.
struct Probe {
    verb: Verb,
    words: Vec<String>,
}

impl Probe {
    /// Of a target that is known.
    fn of(target: &Target) -> Option<Probe> {
        let words = match target {
            Target::Unknown { .. } => return None,
            Target::Connect(Destination::Network(to)) => vec![to.host.to_string()],
            Target::Exec(_) => target.to_string().split_whitespace().map(str::to_owned).collect(),
            _ => vec![target.to_string()],
        };
        Some(Probe { verb: target.verb(), words })
    }

    /// In what a pattern differs, and how far that is: less is nearer.
    fn differs(&self, pattern: &str, anchors: &Anchors) -> Option<(usize, &'static str)> {
        let first = self.words.first()?;
        match self.verb {
            Verb::Exec => command(&self.words, pattern),
            Verb::Connect => {
                let url = pattern.rsplit(' ').next()?;
                let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
                let host = rest.split(['/', ':']).next()?;
                let near = host == first && !host.contains(['*', '$']);
                near.then_some((0, "another method, port or path of the host"))
            }
            Verb::Call => {
                let (server, _) = pattern.split_once('/')?;
                let near = first.split_once('/').is_some_and(|(own, _)| own == server);
                near.then_some((0, "another tool of the server"))
            }
            Verb::Read | Verb::Write => path(first, pattern, anchors),
        }
    }
}

fn command(words: &[String], pattern: &str) -> Option<(usize, &'static str)> {
    let mut parts = pattern.split_whitespace().take_while(|part| *part != "|");
    let (program, rest) = (parts.next()?, parts.collect::<Vec<_>>());
    let (own, given) = words.split_first()?;
    let is = |choice: &str, word: &str| {
        let inner = choice.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        inner.unwrap_or(choice).split(',').any(|one| one == word)
    };
    let named = |word: &&String| rest.iter().any(|part| is(part, word));
    if is(program, own) {
        let other: Vec<&String> = given.iter().filter(|word| !named(word)).collect();
        let options = !other.is_empty() && other.iter().all(|word| word.starts_with('-'));
        return Some(match (options, given.first().is_some_and(|word| named(&word))) {
            (true, _) => (0, "another option"),
            (false, true) => (1, "other arguments"),
            (false, false) => (3, "other arguments"),
        });
    }
    let (part, word) = (rest.first()?, given.first()?);
    let literal =
        !part.contains(['*', '?', '.', '$']) || part.contains(|c: char| c.is_alphabetic());
    (literal && is(part, word)).then_some((2, "another program"))
}

/// A path that shares directories with what the pattern names; the root is none.
fn path(path: &str, pattern: &str, anchors: &Anchors) -> Option<(usize, &'static str)> {
    let home = anchors.home.as_ref().map(ToString::to_string).unwrap_or_default();
    let placed = [("$workspace", anchors.workspace.as_str()), ("$tmp", anchors.tmp.as_str())]
        .into_iter()
        .chain([("$home", home.as_str()), ("~", home.as_str())])
        .find_map(|(name, place)| Some(format!("{place}{}", pattern.strip_prefix(name)?)));
    let placed = placed.unwrap_or_else(|| pattern.to_owned());
    if !placed.starts_with('/') {
        return None;
    }
    let steps = |text: &str| -> Vec<String> {
        text.split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect()
    };
    let (own, theirs) = (steps(path), steps(&placed));
    let shared = own.iter().zip(&theirs).take_while(|(own, theirs)| own == theirs).count();
    // Nearer are those of which less remains.
    (shared > 0).then(|| (theirs.len() + own.len() - 2 * shared, "another path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_near_and_in_what_it_differs() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (call, pattern, differs) in [
            ("python3 manage.py test", "python manage.py ...", Some("another program")),
            ("git push --force", "git {push,pull}", Some("another option")),
            ("git push origin", "git push", Some("other arguments")),
            ("git tag", "{git,hg} log", Some("other arguments")),
            ("git tag", "cargo test", None),
            ("ls", "cargo", None),
            ("ls a", "cargo ...", None),
        ] {
            let found = command(&words(call), pattern).map(|(_, differs)| differs);
            assert_eq!(found, differs, "{call} / {pattern}");
        }
        let anchors = Anchors::frozen(None);
        for (target, pattern, rank) in [
            ("/srv/a/b", "/srv/c/", Some(3)),
            ("/srv/a/b", "/srv/a/c", Some(2)),
            ("/work/a", "$workspace/b", Some(2)),
            ("/etc/a", "/srv/", None),
            ("/etc/a", "**/.env", None),
        ] {
            let found = path(target, pattern, &anchors).map(|(rank, _)| rank);
            assert_eq!(found, rank, "{target} / {pattern}");
        }
    }
}
