//! From documents to a policy: lists resolved, patterns compiled, every mistake collected.

use super::builtin::{self, Protected};
use super::diagnostic::{
    Diagnostic, Fix, Lines, Severity, did_you_mean, drop_echoes, surely_meant,
};
use super::document::{self, At, Document, PatternText, Phase, RuleText, ToolText};
use super::pattern::call::CallPattern;
use super::pattern::connect::ConnectPattern;
use super::pattern::exec::{ExecPattern, Writable};
use super::pattern::output::OutputPattern;
use super::pattern::path::PathPattern;
use super::pattern::{Anchors, PatternError, Stance, braces};
use super::rule::{self, Layer, Origin, Policy, Rule, Says, Scope, ToolRow, Unattended};
use crate::limits::{
    DIAGNOSTICS_MAX, LIST_DEPTH_MAX, LIST_ENTRIES_MAX, POLICY_BRACES_MAX, POLICY_PATTERN_BYTES_MAX,
    POLICY_PATTERNS_MAX,
};
use crate::model::access::Verb;
use crate::model::call::ToolName;
use crate::model::decision::PolicyId;
use crate::model::effect::Effect;
use crate::model::path::AbsPath;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, as the user gave it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What came of reading a policy.
#[derive(Debug)]
pub struct Compiled {
    /// The policy; nothing if there was an error.
    pub policy: Option<Policy>,
    /// What was written in each file, for examples, tests and tools. The rules of a layer stand
    /// in the order of its document; those of its packs follow.
    pub documents: Vec<Document>,
    /// Every mistake.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles policy files, each a layer, with the places that their names stand for.
#[must_use]
pub fn compile(sources: &[Source], anchors: &Anchors, protected: &Protected) -> Compiled {
    let mut digest = Sha256::new();
    let mut layers = Vec::new();
    let mut documents = Vec::new();
    let mut diagnostics = Vec::new();
    let mut names = Vec::new();
    let mut writable =
        Writable { roots: vec![anchors.workspace.clone(), anchors.tmp.clone()], patterns: vec![] };
    for source in sources {
        feed(&mut digest, &source.text);
        let (document, found) = document::read(&source.name, &source.text);
        diagnostics.extend(found);
        names.push(full_name(&document));
        let mut compiler = Compiler::new(source, &document, anchors);
        let layer = compiler.layer(&document, &mut digest);
        writable.patterns.append(&mut compiler.writable);
        diagnostics.append(&mut compiler.diagnostics);
        layers.push(layer);
        documents.push(document);
    }
    for source in sources {
        drop_echoes(&mut diagnostics, &source.name, &source.text);
    }
    let failed = diagnostics.iter().any(|found| found.severity == Severity::Error);
    // Errors stand before warnings where not all can be told.
    diagnostics.sort_by_key(|found| std::cmp::Reverse(found.severity));
    diagnostics.truncate(DIAGNOSTICS_MAX);
    diagnostics.sort_by_key(|found| (found.file.clone(), found.span.start));
    let policy = Policy {
        id: PolicyId { name: names.join("+"), sha256: hex(&digest.finalize()) },
        layers,
        floor: builtin::floor(protected, anchors),
        writable,
        tools: documents.iter().flat_map(|document| &document.tools).map(tool_row).collect(),
    };
    Compiled { policy: (!failed).then_some(policy), documents, diagnostics }
}

fn tool_row(text: &ToolText) -> ToolRow {
    let bare = |text: &str| text.strip_prefix("args.").unwrap_or(text).to_owned();
    ToolRow {
        tool: ToolName::parse(&text.name.value),
        arguments: text.arguments.iter().map(|(verb, at)| (*verb, bare(&at.value))).collect(),
    }
}

/// Length before content, so that no two lists of texts have one digest. Where a file lies is no
/// part of the policy.
fn feed(digest: &mut Sha256, text: &str) {
    digest.update((text.len() as u64).to_be_bytes());
    digest.update(text);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn full_name(document: &Document) -> String {
    let text = |at: &Option<At<String>>| at.as_ref().map(|text| text.value.clone());
    let name = text(&document.header.name).unwrap_or_else(|| "unnamed".to_owned());
    match text(&document.header.version) {
        Some(version) => format!("{name}@{version}"),
        None => name,
    }
}

/// The workspace that a file's `[let]` names, if it does.
#[must_use]
pub fn let_workspace(document: &Document) -> Option<&At<String>> {
    let (_, values) = document.lists.iter().find(|(name, _)| name.value == "workspace")?;
    values.first()
}

struct Compiler<'a> {
    source: &'a Source,
    anchors: &'a Anchors,
    lists: BTreeMap<&'a str, &'a [At<String>]>,
    writable: Vec<PathPattern>,
    diagnostics: Vec<Diagnostic>,
    lines: Lines,
    size: Size,
}

/// What has been read so far, for the bounds on one policy.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    patterns: usize,
    braces: usize,
    bytes: usize,
    /// A bound is met, and told: nothing more is read.
    full: bool,
}

impl Size {
    /// Counts one pattern, with what its braces stand for.
    fn add(&mut self, text: &str) -> Result<(), PatternError> {
        let choices =
            if text.contains('{') { braces::expand(text).map_or(1, |all| all.len()) } else { 1 };
        self.patterns += choices;
        self.braces += choices - 1;
        self.bytes += choices * text.len();
        let (what, most) = if self.patterns > POLICY_PATTERNS_MAX {
            ("patterns", POLICY_PATTERNS_MAX)
        } else if self.braces > POLICY_BRACES_MAX {
            ("patterns that come from braces", POLICY_BRACES_MAX)
        } else if self.bytes > POLICY_PATTERN_BYTES_MAX {
            ("bytes of patterns", POLICY_PATTERN_BYTES_MAX)
        } else {
            return Ok(());
        };
        self.full = true;
        Err(PatternError::new(format!("the policy has more than {most} {what}")).help(
            "lists and braces count as what they stand for: use fewer, or patterns that cover more",
        ))
    }
}

impl<'a> Compiler<'a> {
    fn new(source: &'a Source, document: &'a Document, anchors: &'a Anchors) -> Self {
        let mut compiler = Compiler {
            source,
            anchors,
            lists: BTreeMap::new(),
            writable: Vec::new(),
            diagnostics: Vec::new(),
            lines: Lines::of(&source.text),
            size: Size::default(),
        };
        for (name, values) in &document.lists {
            if name.value == "workspace" {
                compiler.check_workspace(values);
            } else if builtin::NAMES.contains(&name.value.as_str()) {
                let message = format!("`{}` is built in and cannot be set", name.value);
                compiler.error("P010", name, message, "give the list another name");
            } else {
                compiler.lists.insert(name.value.as_str(), values);
            }
        }
        compiler
    }

    fn error(&mut self, code: &'static str, at: &At<String>, message: String, help: &str) {
        let error = Diagnostic::error(code, &self.source.name, at.span.clone(), message);
        self.diagnostics.push(error.with_help(help));
    }

    /// What `[let]` says must be what is in force; else the file does not start (§11.23).
    fn check_workspace(&mut self, values: &[At<String>]) {
        let [only] = values else { return };
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

    fn layer(&mut self, document: &Document, digest: &mut Sha256) -> Layer {
        self.check_ids(document);
        let mut rules: Vec<Rule> = document.rules.iter().map(|rule| self.rule(rule)).collect();
        for name in &document.header.include {
            let Some(text) = builtin::pack(&name.value) else {
                let help = match did_you_mean(&name.value, builtin::PACKS.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the packs are: {}", builtin::PACKS.join(", ")),
                };
                self.error("P012", name, format!("there is no pack `{}`", name.value), &help);
                let meant = surely_meant(&name.value, builtin::PACKS.iter().copied());
                if let (Some(found), Some(meant)) = (self.diagnostics.last_mut(), meant) {
                    found.fix = Fix::requote(&name.value, &name.span, meant);
                }
                continue;
            };
            let pack = Source { name: name.value.clone(), text: text.to_owned() };
            feed(digest, &pack.text);
            let (inner, found) = document::read(&pack.name, &pack.text);
            let mut compiler = Compiler::new(&pack, &inner, self.anchors);
            rules.extend(inner.rules.iter().map(|rule| compiler.rule(rule)));
            self.diagnostics.extend(found.into_iter().chain(compiler.diagnostics));
        }
        let default = document.header.default.unwrap_or(rule::Default::Deny);
        Layer {
            name: full_name(document),
            default,
            opaque: document.header.opaque.unwrap_or(default),
            unattended: document.header.unattended.unwrap_or(Unattended::Deny),
            rules,
        }
    }

    fn check_ids(&mut self, document: &Document) {
        let mut seen: BTreeMap<&str, &At<String>> = BTreeMap::new();
        for rule in &document.rules {
            if let Some(first) = seen.insert(&rule.id.value, &rule.id) {
                let file = &self.source.name;
                let message = format!("two rules are named `{}`", rule.id.value);
                let found = Diagnostic::error("P013", file, rule.id.span.clone(), message)
                    .with_label("the same name")
                    .with_other(file, first.span.clone(), "the first of them")
                    .with_help("give each a name of its own: a log line must name one rule");
                self.diagnostics.push(found);
            }
        }
    }

    fn rule(&mut self, text: &RuleText) -> Rule {
        Rule {
            id: text.id.value.clone(),
            says: text.says,
            scope: self.scope(text),
            shadow: text.shadow,
            why: text.why.clone(),
            origin: Origin {
                file: self.source.name.clone(),
                line: self.lines.line_of(text.id.span.start),
            },
        }
    }

    fn scope(&mut self, text: &RuleText) -> Scope {
        let (matching, excepting) = stances(text.says);
        let verbs: Vec<Verb> = text
            .verbs
            .iter()
            .filter_map(|phase| match phase.value {
                Phase::Before(verb) => Some(verb),
                Phase::Output => None,
            })
            .collect();
        self.check_verbs(text, &verbs);
        match verbs.first() {
            None => Scope::Output { matches: self.output(text) },
            Some(Verb::Read | Verb::Write) => {
                let matches = self.paths(&text.matches, matching);
                if text.says == Says::Effect(Effect::Allow) && verbs.contains(&Verb::Write) {
                    // Whatever the agent may write cannot be trusted as a program.
                    let patterns = self.paths_quietly(&text.matches);
                    self.writable.extend(patterns);
                }
                Scope::Paths { verbs, matches, unless: self.paths(&text.unless, excepting) }
            }
            Some(Verb::Exec) => Scope::Exec {
                matches: self.each(&text.matches, matching, ExecPattern::parse),
                unless: self.each(&text.unless, excepting, ExecPattern::parse),
            },
            Some(Verb::Connect) => Scope::Connect {
                matches: self.each(&text.matches, matching, ConnectPattern::parse),
                unless: self.each(&text.unless, excepting, ConnectPattern::parse),
            },
            Some(Verb::Call) => Scope::Call {
                matches: self.each(&text.matches, matching, |text, _, _| CallPattern::parse(text)),
                unless: self.each(&text.unless, excepting, |text, _, _| CallPattern::parse(text)),
            },
        }
    }

    /// One rule has one syntax of patterns, and only output can be redacted.
    fn check_verbs(&mut self, text: &RuleText, verbs: &[Verb]) {
        let syntax = |verb: &Verb| match verb {
            Verb::Read | Verb::Write => 0,
            Verb::Exec => 1,
            Verb::Connect => 2,
            Verb::Call => 3,
        };
        let of_output = verbs.len() < text.verbs.len();
        let mixed = verbs.windows(2).any(|pair| matches!(pair, [a, b] if syntax(a) != syntax(b)));
        if mixed || (of_output && !verbs.is_empty()) {
            let message = "these verbs have different patterns".to_owned();
            self.error("P014", &text.id, message, "write one rule for each");
        }
        let fits = match text.says {
            Says::Redact => verbs.is_empty(),
            Says::Effect(Effect::Deny) | Says::Note => true,
            Says::Effect(Effect::Allow | Effect::Ask) => !of_output,
        };
        if !fits {
            let message = "this is not said of such a verb".to_owned();
            let help = "`output` takes redact, deny and note; the other verbs take allow, ask, \
                        deny and note";
            self.error("P014", &text.id, message, help);
        }
    }

    fn paths(&mut self, texts: &[At<PatternText>], stance: Stance) -> Vec<PathPattern> {
        self.each(texts, stance, PathPattern::parse)
    }

    /// The same patterns once more for another use; their mistakes are already told.
    fn paths_quietly(&mut self, texts: &[At<PatternText>]) -> Vec<PathPattern> {
        let (told, size) = (self.diagnostics.len(), self.size);
        let patterns = self.paths(texts, Stance::Tighten);
        self.diagnostics.truncate(told);
        self.size = size;
        patterns
    }

    fn output(&mut self, text: &RuleText) -> Vec<OutputPattern> {
        let mut patterns = Vec::new();
        for at in &text.matches {
            let read = match &at.value {
                PatternText::Text(name) if name == "$keys" => Ok(OutputPattern::Keys),
                PatternText::Text(name) if name == "**" => Ok(OutputPattern::Everything),
                PatternText::Text(_) => Err(PatternError {
                    message: "an output pattern is `$keys`, `**` or `{ regex = \"...\" }`"
                        .to_owned(),
                    help: None,
                    fix: None,
                }),
                PatternText::Regex(regex) => OutputPattern::regex(regex),
            };
            match read {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.pattern_error(at, &error),
            }
        }
        patterns
    }

    fn each<T>(
        &mut self,
        texts: &[At<PatternText>],
        stance: Stance,
        parse: impl Fn(&str, &Anchors, Stance) -> Result<T, PatternError>,
    ) -> Vec<T> {
        let mut patterns = Vec::new();
        for at in texts {
            if self.size.full || self.diagnostics.len() >= DIAGNOSTICS_MAX {
                break;
            }
            let PatternText::Text(text) = &at.value else {
                let error = PatternError::new("a regular expression stands only for output");
                self.pattern_error(at, &error);
                continue;
            };
            let mut expanded = Vec::new();
            let mut steps = 0;
            if let Err(error) = self.expand(text, 0, &mut steps, &mut expanded) {
                self.pattern_error(at, &error);
            }
            // What is nowhere named is counted too: lists of empty lists grow alike.
            self.size.patterns += steps.saturating_sub(expanded.len());
            for text in expanded {
                if let Err(error) = self.size.add(&text) {
                    self.pattern_error(at, &error);
                    break;
                }
                match parse(&text, self.anchors, stance) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(error) => self.pattern_error(at, &error),
                }
            }
        }
        patterns
    }

    /// `$name` alone is a list, of this file or built in; anything else is itself.
    fn expand(
        &self,
        text: &str,
        depth: usize,
        steps: &mut usize,
        into: &mut Vec<String>,
    ) -> Result<(), PatternError> {
        *steps += 1;
        if *steps > LIST_ENTRIES_MAX {
            let message = format!("this stands for more than {LIST_ENTRIES_MAX} entries");
            return Err(PatternError::new(message)
                .help("lists of lists grow by the power: name each list once"));
        }
        let name = text.strip_prefix('$').filter(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        let Some(name) = name.filter(|name| !matches!(*name, "workspace" | "home" | "tmp")) else {
            into.push(text.to_owned());
            return Ok(());
        };
        if depth >= LIST_DEPTH_MAX {
            return Err(PatternError::new(format!("the list `${name}` names itself"))
                .help("lists may name lists, but not in a circle"));
        }
        if let Some(values) = self.lists.get(name) {
            return values
                .iter()
                .try_for_each(|value| self.expand(&value.value, depth + 1, steps, into));
        }
        if let Some(values) = builtin::list(name) {
            into.extend(values.iter().map(|value| (*value).to_owned()));
            return Ok(());
        }
        let known = self.lists.keys().copied().chain(builtin::NAMES.iter().copied());
        let help = match did_you_mean(name, known.clone()) {
            Some(meant) => format!("did you mean `${meant}`?"),
            None => "name it in `[let]`".to_owned(),
        };
        let error = PatternError::new(format!("there is no list `${name}`")).help(help);
        Err(match surely_meant(name, known) {
            Some(meant) => error.fix(text, format!("${meant}")),
            None => error,
        })
    }

    fn pattern_error(&mut self, at: &At<PatternText>, error: &PatternError) {
        let message = error.message.clone();
        let mut found = Diagnostic::error("P009", &self.source.name, at.span.clone(), message);
        found.help.clone_from(&error.help);
        if let (Some((of, with)), PatternText::Text(text)) = (&error.fix, &at.value)
            && of == text
        {
            found.fix = Fix::requote(text, &at.span, with);
        }
        self.diagnostics.push(found);
    }
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

#[cfg(test)]
mod tests;
