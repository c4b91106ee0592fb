//! The patterns of every rule, written out and compiled for comparison.

use super::{File, Pack, Subject};
use crate::limits::LIST_DEPTH_MAX;
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::builtin;
use crate::policy::document::{At, Document, PatternText, Phase, RuleText};
use crate::policy::pattern::call::CallPattern;
use crate::policy::pattern::connect::ConnectPattern;
use crate::policy::pattern::cover::Cover;
use crate::policy::pattern::exec::ExecPattern;
use crate::policy::pattern::path::PathPattern;
use crate::policy::pattern::{Anchors, Stance, braces};
use crate::policy::rule::{LayerKind, Power, Says};

/// All entries, those of files before those of packs.
pub(super) struct Entries<'a> {
    pub(super) all: Vec<Entry<'a>>,
}

/// One pattern of a rule's `match`, as it stands there.
pub(super) struct Entry<'a> {
    /// The file or pack.
    pub(super) file: &'a str,
    /// The text of the file; nothing for a pack.
    pub(super) source: Option<&'a str>,
    pub(super) kind: LayerKind,
    pub(super) rule: &'a RuleText,
    pub(super) at: &'a At<PatternText>,
    pub(super) verbs: Vec<Verb>,
    pub(super) effect: Effect,
    /// What its braces and lists stand for.
    pub(super) patterns: Vec<Written>,
    /// It names a list that lower layers may add to.
    pub(super) open: bool,
}

/// A pattern without braces.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) pattern: Pattern,
}

/// A pattern of any verb.
pub(super) enum Pattern {
    Path(PathPattern),
    Exec(ExecPattern),
    Connect(ConnectPattern),
    Call(CallPattern),
}

impl<'a> Entries<'a> {
    pub(super) fn of(subject: &'a Subject<'a>) -> Entries<'a> {
        let mut all = Vec::new();
        for File { source, document, kind } in &subject.files {
            let of_file = Whose { file: &source.name, source: Some(&source.text), kind: *kind };
            of_file.read(document, subject, &mut all);
        }
        for Pack { name, document, kind } in &subject.packs {
            Whose { file: name, source: None, kind: *kind }.read(document, subject, &mut all);
        }
        Entries { all }
    }

    /// Those that stand in a file of the author's and are enforced.
    pub(super) fn own(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.all.iter().filter(|entry| entry.source.is_some() && !entry.rule.shadow)
    }
}

struct Whose<'a> {
    file: &'a str,
    source: Option<&'a str>,
    kind: LayerKind,
}

impl<'a> Whose<'a> {
    fn read(&self, document: &'a Document, subject: &Subject<'_>, into: &mut Vec<Entry<'a>>) {
        for rule in &document.rules {
            let Says::Effect(effect) = rule.says else { continue };
            let lapsed = |now| rule.until.as_ref().is_some_and(|until| until.value <= now);
            let is_void = effect == Effect::Allow && subject.power(self.kind) == Power::Tighten;
            let verbs = verbs(rule);
            if is_void || verbs.is_empty() || subject.now.is_some_and(lapsed) {
                continue;
            }
            for at in &rule.matches {
                let mut texts = Texts::default();
                texts.add(&at.value, document, 0);
                let patterns = written(&texts.all, &verbs, stance(effect), &subject.anchors)
                    .unwrap_or_default();
                into.push(Entry {
                    file: self.file,
                    source: self.source,
                    kind: self.kind,
                    rule,
                    at,
                    verbs: verbs.clone(),
                    effect,
                    patterns,
                    open: texts.open,
                });
            }
        }
    }
}

impl Entry<'_> {
    /// The text as it stands in the file.
    pub(super) fn text(&self) -> &str {
        match &self.at.value {
            PatternText::Text(text) | PatternText::Regex(text) => text,
            PatternText::Entropy { near, .. } => near.as_deref().unwrap_or_default(),
        }
    }

    /// Whether it is an entry of the grid, which has no more than its pattern.
    pub(super) fn is_of_grid(&self) -> bool {
        self.rule.id.span == self.at.span
    }

    /// Whether it always speaks where it matches, and says its effect and no more.
    pub(super) fn is_unconditional(&self) -> bool {
        let RuleText { unless, when, limit, shadow, until, .. } = self.rule;
        unless.is_empty() && when.is_empty() && limit.is_none() && !shadow && until.is_none()
    }

    /// Whether it has every verb of `other`.
    pub(super) fn has_verbs_of(&self, other: &Entry<'_>) -> bool {
        other.verbs.iter().all(|verb| self.verbs.contains(verb))
    }

    pub(super) fn is(&self, other: &Entry<'_>) -> bool {
        std::ptr::eq(self.at, other.at)
    }
}

/// The verbs that are judged before the tool runs.
pub(super) fn verbs(rule: &RuleText) -> Vec<Verb> {
    let before = |phase: &At<Phase>| match phase.value {
        Phase::Before(verb) => Some(verb),
        Phase::Output => None,
    };
    rule.verbs.iter().filter_map(before).collect()
}

pub(super) fn stance(effect: Effect) -> Stance {
    match effect {
        Effect::Allow => Stance::Loosen,
        Effect::Ask | Effect::Deny => Stance::Tighten,
    }
}

/// What texts stand for, each without braces; nothing if one cannot be read.
pub(super) fn written(
    texts: &[String],
    verbs: &[Verb],
    stance: Stance,
    anchors: &Anchors,
) -> Option<Vec<Written>> {
    let mut patterns = Vec::new();
    for text in texts {
        let each = match verbs.first()? {
            Verb::Connect => vec![text.clone()],
            Verb::Read | Verb::Write | Verb::Exec | Verb::Call => braces::expand(text).ok()?,
        };
        for text in each {
            let pattern = match verbs.first()? {
                Verb::Read | Verb::Write => {
                    Pattern::Path(PathPattern::parse(&text, anchors, stance).ok()?)
                }
                Verb::Exec => Pattern::Exec(ExecPattern::parse(&text, anchors, stance).ok()?),
                Verb::Connect => {
                    Pattern::Connect(ConnectPattern::parse(&text, anchors, stance).ok()?)
                }
                Verb::Call => Pattern::Call(CallPattern::parse(&text).ok()?),
            };
            patterns.push(Written { text, pattern });
        }
    }
    Some(patterns)
}

/// Patterns with their lists written out.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) all: Vec<String>,
    /// A lower layer may add to one of the lists.
    pub(super) open: bool,
}

impl Texts {
    pub(super) fn add(&mut self, text: &PatternText, document: &Document, depth: usize) {
        let PatternText::Text(text) = text else { return };
        self.text(text, document, depth);
    }

    fn text(&mut self, text: &str, document: &Document, depth: usize) {
        let Some(name) = list_name(text).filter(|_| depth < LIST_DEPTH_MAX) else {
            self.all.push(text.to_owned());
            return;
        };
        let named = |(list, _): &&(At<String>, Vec<At<String>>)| list.value == name;
        let opened = document.open.iter().find(named);
        self.open |= opened.is_some();
        if let Some((_, values)) = opened.or_else(|| document.lists.iter().find(named)) {
            values.iter().for_each(|value| self.text(&value.value, document, depth + 1));
        } else if let Some(values) = builtin::list(name) {
            self.all.extend(values.iter().map(|value| (*value).to_owned()));
        }
    }
}

/// The name of a list, where the text is one.
pub(super) fn list_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = !name.is_empty() && name.chars().all(plain);
    (is_name && !matches!(name, "workspace" | "home" | "tmp")).then_some(name)
}

impl Cover for Pattern {
    fn covers_all_of(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::Path(wide), Pattern::Path(narrow)) => wide.covers_all_of(narrow),
            (Pattern::Exec(wide), Pattern::Exec(narrow)) => wide.covers_all_of(narrow),
            (Pattern::Connect(wide), Pattern::Connect(narrow)) => wide.covers_all_of(narrow),
            (Pattern::Call(wide), Pattern::Call(narrow)) => wide.covers_all_of(narrow),
            (Pattern::Path(_) | Pattern::Exec(_), _) => false,
            (Pattern::Connect(_) | Pattern::Call(_), _) => false,
        }
    }

    fn needs(&self) -> Vec<String> {
        match self {
            Pattern::Path(pattern) => pattern.needs(),
            Pattern::Exec(pattern) => pattern.needs(),
            Pattern::Connect(pattern) => pattern.needs(),
            Pattern::Call(pattern) => pattern.needs(),
        }
    }

    fn has(&self) -> Vec<String> {
        match self {
            Pattern::Path(pattern) => pattern.has(),
            Pattern::Exec(pattern) => pattern.has(),
            Pattern::Connect(pattern) => pattern.has(),
            Pattern::Call(pattern) => pattern.has(),
        }
    }
}
