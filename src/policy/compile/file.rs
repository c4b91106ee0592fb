//! One file: its names bound to lists and places, its rules compiled, its mistakes told.

use super::labels::Weighed;
use super::layers::Layering;
use super::size::Size;
use super::{Source, full_name};
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::model::path::AbsPath;
use crate::policy::builtin::{self, Kind};
use crate::policy::canonical;
use crate::policy::condition::{Condition, Conditions};
use crate::policy::diagnostic::{Diagnostic, Fix, Lines, did_you_mean, surely_meant};
use crate::policy::document::{self, At, ConditionText, Document, Phase, RuleText};
use crate::policy::label::Labels;
use crate::policy::pattern::call::CallPattern;
use crate::policy::pattern::connect::ConnectPattern;
use crate::policy::pattern::exec::ExecPattern;
use crate::policy::pattern::path::PathPattern;
use crate::policy::pattern::{Anchors, Stance};
use crate::policy::rule::{
    self, LayerKind, Limit, Marks, Origin, Power, Rule, Says, Scope, Targets,
};
use crate::policy::written::{WrittenPattern, WrittenRule};
use std::collections::BTreeMap;

/// What one file comes to.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Its rules, then those of its packs; without the allows that its layer may not have.
    pub(super) rules: Vec<Rule>,
    /// Its rules with examples, by their place in the file.
    pub(super) exemplified: Vec<(usize, Rule)>,
    /// What its allows of `write` cover.
    pub(super) writable: Vec<PathPattern>,
    /// The packs it includes, as the digest has them.
    pub(super) packs: Vec<String>,
    /// What stands in its rules, those of its packs included.
    pub(super) written: Vec<WrittenRule>,
    /// Its own rules that are in force, as the digest has them.
    pub(super) canonical: Vec<String>,
    /// What must be told whenever it comes into force.
    pub(super) notices: Vec<String>,
}

/// Labels and limits of all files.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub(super) labels: Labels,
    pub(super) limits: Vec<Limit>,
}

/// Compiles the files of a policy, one after another.
pub(super) struct Compiler<'a> {
    sources: &'a [Source],
    documents: &'a [Document],
    layering: &'a Layering,
    pub(super) weighed: &'a mut Weighed,
    pub(super) anchors: &'a Anchors,
    pub(super) limits: Vec<Limit>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) size: Size,
    /// Of the file in hand.
    pub(super) name: &'a str,
    pub(super) kind: LayerKind,
    lines: Lines,
    pub(super) lists: BTreeMap<&'a str, Vec<Entry<'a>>>,
    writable: Vec<PathPattern>,
    /// The patterns of the list in hand, as they stand once written out; only where they are kept.
    pub(super) written: Vec<WrittenPattern>,
    pub(super) writes: bool,
}

/// One entry of a list, and where it stands if a lower layer added it.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub(super) text: &'a str,
    pub(super) added: Option<(&'a str, std::ops::Range<usize>)>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        sources: &'a [Source],
        documents: &'a [Document],
        layering: &'a Layering,
        weighed: &'a mut Weighed,
        anchors: &'a Anchors,
    ) -> Self {
        Compiler {
            sources,
            documents,
            layering,
            weighed,
            anchors,
            limits: Vec::new(),
            diagnostics: Vec::new(),
            size: Size::default(),
            name: "",
            kind: LayerKind::User,
            lines: Lines::of(""),
            lists: BTreeMap::new(),
            writable: Vec::new(),
            written: Vec::new(),
            writes: true,
        }
    }

    pub(super) fn is_refused(&self, file: usize) -> bool {
        self.weighed.refused.contains(&file)
    }

    /// What all files come to together.
    pub(super) fn finish(self) -> Finished {
        Finished { labels: std::mem::take(&mut self.weighed.labels), limits: self.limits }
    }

    /// Compiles one file.
    pub(super) fn file(&mut self, file: usize) -> Part {
        let (Some(source), Some(document)) = (self.sources.get(file), self.documents.get(file))
        else {
            return Part::default();
        };
        self.begin(&source.name, &source.text, self.layering.kind(file));
        self.take_lists(file, document);
        self.check_ids(document);
        let mut part = Part::default();
        for (place, text) in document.rules.iter().enumerate() {
            let (rule, written) = self.rule(text);
            if !self.ignores(text) {
                part.canonical.push(canonical::rule(text, &written));
            }
            part.written.push(written);
            if !text.examples.is_empty() {
                part.exemplified.push((place, rule.clone()));
            }
            part.rules.push(rule);
        }
        part.rules.extend(document.servers.iter().map(|server| self.server(&server.name)));
        self.signers(document, &mut part);
        self.ignore_allows(document, &mut part);
        part.writable = std::mem::take(&mut self.writable);
        for name in &document.header.include {
            self.include(name, &document.header.include, &mut part);
        }
        part
    }

    fn begin(&mut self, name: &'a str, text: &str, kind: LayerKind) {
        self.name = name;
        self.kind = kind;
        self.lines = Lines::of(text);
        self.lists.clear();
    }

    pub(super) fn error<T>(&mut self, code: &'static str, at: &At<T>, message: String, help: &str) {
        let error = Diagnostic::error(code, self.name, at.span.clone(), message);
        self.diagnostics.push(error.with_help(help));
    }

    pub(super) fn warning<T>(
        &mut self,
        code: &'static str,
        at: &At<T>,
        message: String,
        help: &str,
    ) {
        let warning = Diagnostic::warning(code, self.name, at.span.clone(), message);
        self.diagnostics.push(warning.with_help(help));
    }

    /// The file's lists, those that are open with what lower layers add.
    fn take_lists(&mut self, file: usize, document: &'a Document) {
        for (name, values) in &document.lists {
            if name.value == "workspace" {
                self.check_workspace(values);
            } else if builtin::NAMES.contains(&name.value.as_str()) {
                self.built_in(name);
            } else {
                self.lists.insert(name.value.as_str(), own(values));
            }
        }
        let (sources, layering) = (self.sources, self.layering);
        for (name, values) in &document.open {
            if builtin::NAMES.contains(&name.value.as_str()) {
                self.built_in(name);
                continue;
            }
            if self.lists.contains_key(name.value.as_str()) {
                let message = format!("`{}` is set twice, here and in `[let.open]`", name.value);
                self.error("P010", name, message, "give one of the two another name");
            }
            let added = layering.additions(file, &name.value).iter().map(|(from, value)| Entry {
                text: value.value.as_str(),
                added: sources.get(*from).map(|source| (source.name.as_str(), value.span.clone())),
            });
            let entries = own(values).into_iter().chain(added).collect();
            self.lists.insert(name.value.as_str(), entries);
        }
    }

    fn built_in(&mut self, name: &At<String>) {
        let message = format!("`{}` is built in and cannot be set", name.value);
        self.error("P010", name, message, "give the list another name");
    }

    /// What `[let]` says must be what is in force; else the file does not start (§11.23).
    fn check_workspace(&mut self, values: &[At<String>]) {
        let [only] = values else {
            if let Some(second) = values.get(1) {
                let message = "there is one workspace, not several".to_owned();
                self.error("P011", second, message, "write one absolute path");
            }
            return;
        };
        match AbsPath::parse(&only.value) {
            Ok(path) if path == self.anchors.workspace => {}
            Ok(_) => {
                let message = format!(
                    "`workspace` is already fixed as `{}`, not `{}`",
                    self.anchors.workspace, only.value
                );
                self.error("P011", only, message, "start with the same workspace, or remove it");
            }
            Err(error) => {
                let message = format!("`{}` is no workspace: {error}", only.value);
                self.error("P011", only, message, "write an absolute path");
            }
        }
    }

    fn check_ids(&mut self, document: &Document) {
        let mut seen: BTreeMap<&str, &At<String>> = BTreeMap::new();
        for rule in &document.rules {
            if let Some(first) = seen.insert(&rule.id.value, &rule.id) {
                let message = format!("two rules are named `{}`", rule.id.value);
                let found = Diagnostic::error("P013", self.name, rule.id.span.clone(), message)
                    .with_label("the same name")
                    .with_other(self.name, first.span.clone(), "the first of them")
                    .with_help("give each a name of its own: a log line must name one rule");
                self.diagnostics.push(found);
            }
        }
    }

    /// A pack belongs to the layer that includes it.
    fn include(&mut self, name: &'a At<String>, all: &[At<String>], part: &mut Part) {
        let Some(text) = builtin::pack(&name.value) else {
            let help = match did_you_mean(&name.value, builtin::PACKS.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the packs are: {}", builtin::PACKS.join(", ")),
            };
            self.error("P012", name, format!("there is no pack `{}`", name.value), &help);
            let is_there = |pack: &&str| all.iter().any(|one| one.value == *pack);
            let meant = surely_meant(&name.value, builtin::PACKS.iter().copied())
                .filter(|pack| !is_there(pack));
            if let (Some(found), Some(meant)) = (self.diagnostics.last_mut(), meant) {
                found.fix = Fix::requote(&name.value, &name.span, meant);
            }
            return;
        };
        let file = std::mem::replace(&mut self.name, &name.value);
        let (inner, found) = document::read(&name.value, text);
        self.diagnostics.extend(found);
        let own = std::mem::replace(&mut self.lines, Lines::of(text));
        // The lists of a pack are its own, and no pack has any.
        let lists = std::mem::take(&mut self.lists);
        let mut lines = Vec::new();
        for text in &inner.rules {
            let (rule, written) = self.rule(text);
            lines.push(canonical::rule(text, &written));
            part.rules.push(rule);
            part.written.push(written);
        }
        part.packs.push(canonical::pack(&name.value, text, lines));
        self.lists = lists;
        self.lines = own;
        self.name = file;
    }

    /// Until its pins are enforced, a call of a named server is asked about: where its rules refuse
    /// it, it stays refused.
    fn server(&mut self, server: &At<String>) -> Rule {
        let pattern = CallPattern::parse(&format!("mcp:{}/*", server.value));
        Rule {
            id: format!("mcp.{}", server.value),
            says: Says::Effect(Effect::Ask),
            scope: Scope {
                stance: Stance::Tighten,
                targets: Targets::Call {
                    matches: pattern.into_iter().collect(),
                    unless: Vec::new(),
                },
            },
            when: Conditions { rest: vec![Condition::Pinned], ..Conditions::default() },
            marks: Marks::default(),
            limit: None,
            shadow: false,
            until: None,
            capture: None,
            why: Some("The pins of this server are not enforced by this version.".to_owned()),
            origin: self.origin(server),
        }
    }

    fn signers(&mut self, document: &Document, part: &mut Part) {
        let Some(first) = document.header.signers.first() else { return };
        let message = "the signature of this file is not checked by this version".to_owned();
        self.warning("P034", first, message, "`serve` takes it only with --unsigned-ok");
        let name = full_name(document);
        part.notices.push(format!("the policy `{name}` names signers, and none was checked"));
    }

    /// The allows of a layer that may only tighten are ignored, and that is told.
    fn ignore_allows(&mut self, document: &Document, part: &mut Part) {
        let mut ignored = document.rules.iter().filter(|rule| self.ignores(rule));
        let Some(first) = ignored.next() else { return };
        let more = match ignored.count() {
            0 => String::new(),
            count => format!(", and {count} more of this file"),
        };
        let message = format!("the allow `{}` is ignored{more}", first.id.value);
        let help = match document.header.default {
            Some(rule::Default::Defer) => "the layer above lets this one only tighten",
            Some(rule::Default::Ask) => {
                "the layer above lets this one only tighten, and its `default` asks about all \
                 that it does not deny: write `default = \"defer\"` if only its rules are meant"
            }
            Some(rule::Default::Deny) | None => {
                "the layer above lets this one only tighten, and its `default` denies all that \
                 it does not ask about: write `default = \"defer\"` if only its rules are meant"
            }
        };
        self.warning("P032", &first.id, message, help);
        part.rules.retain(|rule| rule.says != Says::Effect(Effect::Allow));
        self.writable.clear();
    }

    fn ignores(&self, rule: &RuleText) -> bool {
        rule.says == Says::Effect(Effect::Allow) && self.layering.power(self.kind) == Power::Tighten
    }

    fn origin<T>(&self, at: &At<T>) -> Origin {
        Origin { file: self.name.to_owned(), line: self.line_of(at) }
    }

    pub(super) fn line_of<T>(&self, at: &At<T>) -> usize {
        self.lines.line_of(at.span.start)
    }

    fn rule(&mut self, text: &RuleText) -> (Rule, WrittenRule) {
        let (matching, excepting) = stances(text.says);
        self.written.clear();
        let scope = self.scope(text, matching, excepting);
        let written = self.take_written(text, &scope);
        if text.says == Says::Effect(Effect::Allow)
            && let Targets::Paths { verbs, .. } = &scope.targets
            && verbs.contains(&Verb::Write)
        {
            // Whatever the agent may write cannot be trusted as a program.
            let patterns = self.quietly(|this| this.paths(&text.matches, Stance::Tighten));
            self.writable.extend(patterns);
        }
        let rule = Rule {
            id: text.id.value.clone(),
            says: text.says,
            when: self.conditions(text),
            marks: self.marks(text, &scope),
            limit: self.limit(text),
            scope,
            shadow: text.shadow,
            until: self.until(text),
            capture: text.capture,
            why: text.why.clone(),
            origin: self.origin(&text.id),
        };
        (rule, written)
    }

    /// What was written out of a rule: first its `match`, one for each pattern of the scope, then
    /// its `unless`.
    fn take_written(&mut self, text: &RuleText, scope: &Scope) -> WrittenRule {
        let mut matches = std::mem::take(&mut self.written);
        let (count, _) = scope.targets.counts();
        let unless = matches.split_off(count.min(matches.len()));
        let condition = |one: &ConditionText| (one.key.value.clone(), one.test.value.to_string());
        WrittenRule {
            file: self.name.to_owned(),
            id: text.id.value.clone(),
            matches,
            unless,
            when: text.when.iter().map(condition).collect(),
        }
    }

    /// The targets of a rule in the given stances.
    pub(super) fn scope(&mut self, text: &RuleText, matching: Stance, excepting: Stance) -> Scope {
        let verbs: Vec<Verb> = text
            .verbs
            .iter()
            .filter_map(|phase| match phase.value {
                Phase::Before(verb) => Some(verb),
                Phase::Output => None,
            })
            .collect();
        self.check_verbs(text, &verbs);
        let targets = match verbs.first() {
            None => Targets::Output { matches: self.output(text) },
            Some(Verb::Read | Verb::Write) => Targets::Paths {
                verbs,
                matches: self.paths(&text.matches, matching),
                unless: self.paths(&text.unless, excepting),
            },
            Some(Verb::Exec) => Targets::Exec {
                matches: self.each(&text.matches, matching, Kind::Commands, ExecPattern::parse),
                unless: self.each(&text.unless, excepting, Kind::Commands, ExecPattern::parse),
            },
            Some(Verb::Connect) => Targets::Connect {
                matches: self.each(&text.matches, matching, Kind::Hosts, ConnectPattern::parse),
                unless: self.each(&text.unless, excepting, Kind::Hosts, ConnectPattern::parse),
            },
            Some(Verb::Call) => Targets::Call {
                matches: self.tools(&text.matches, matching),
                unless: self.tools(&text.unless, excepting),
            },
        };
        Scope { stance: matching, targets }
    }

    /// Compiles the same once more for another use; its mistakes are already told.
    pub(super) fn quietly<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let (told, size) = (self.diagnostics.len(), self.size);
        let wrote = std::mem::replace(&mut self.writes, false);
        let done = work(self);
        self.writes = wrote;
        self.diagnostics.truncate(told);
        self.size = size;
        done
    }
}

fn own(values: &[At<String>]) -> Vec<Entry<'_>> {
    values.iter().map(|value| Entry { text: value.value.as_str(), added: None }).collect()
}

/// In which stance a rule's `match` is asked, and in which its `unless`.
fn stances(says: Says) -> (Stance, Stance) {
    match says {
        Says::Effect(Effect::Allow) => (Stance::Loosen, Stance::Tighten),
        Says::Effect(Effect::Ask | Effect::Deny) | Says::Redact | Says::Note => {
            (Stance::Tighten, Stance::Loosen)
        }
    }
}
