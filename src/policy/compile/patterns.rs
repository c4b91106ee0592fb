//! The patterns of a rule: lists written out, each pattern read, the bounds kept.

use super::file::{Compiler, Entry};
use crate::limits::{DIAGNOSTICS_MAX, LIST_DEPTH_MAX, LIST_ENTRIES_MAX};
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::builtin::{self, Kind};
use crate::policy::diagnostic::{Diagnostic, Fix, did_you_mean, surely_meant};
use crate::policy::document::{At, PatternText, RuleText};
use crate::policy::pattern::call::CallPattern;
use crate::policy::pattern::entropy::HighEntropy;
use crate::policy::pattern::output::OutputPattern;
use crate::policy::pattern::path::PathPattern;
use crate::policy::pattern::{Anchors, PatternError, Stance};
use crate::policy::rule::Says;
use crate::policy::written::WrittenPattern;

/// One entry of a list, written out.
struct Expanded {
    text: String,
    /// The file and place of a lower layer that added it.
    added: Option<(String, std::ops::Range<usize>)>,
}

/// The entries that one pattern stands for.
struct Expansion {
    /// Those of the rule.
    kind: Kind,
    /// How many names were looked at.
    steps: usize,
    entries: Vec<Expanded>,
}

/// A list, and the one that names it.
struct Trail<'a> {
    name: &'a str,
    from: Option<&'a Trail<'a>>,
    depth: usize,
}

impl Trail<'_> {
    fn check(&self) -> Result<(), PatternError> {
        let name = self.name;
        let mut above = std::iter::successors(self.from, |trail| trail.from);
        if above.any(|trail| trail.name == name) {
            return Err(PatternError::new(format!("the list `${name}` names itself"))
                .help("lists may name lists, but not in a circle"));
        }
        if self.depth > LIST_DEPTH_MAX {
            let message = format!("the list `${name}` is the end of more than {LIST_DEPTH_MAX}");
            return Err(PatternError::new(format!("{message} lists that name one another")).help(
                format!("lists may lie in lists, {LIST_DEPTH_MAX} deep: name it higher up"),
            ));
        }
        Ok(())
    }
}

impl Expanded {
    fn of(text: &str, entry: &Entry<'_>) -> Expanded {
        let added = entry.added.as_ref().map(|(file, span)| ((*file).to_owned(), span.clone()));
        Expanded { text: text.to_owned(), added }
    }
}

impl Compiler<'_> {
    /// One rule has one syntax of patterns, and only output can be redacted.
    pub(super) fn check_verbs(&mut self, text: &RuleText, verbs: &[Verb]) {
        let syntax = |verb: &Verb| match verb {
            Verb::Read | Verb::Write => 0,
            Verb::Exec => 1,
            Verb::Connect => 2,
            Verb::Call => 3,
        };
        let of_output = verbs.len() < text.verbs.len();
        let mixed = verbs.windows(2).any(|pair| matches!(pair, [a, b] if syntax(a) != syntax(b)));
        // The last verb stands for all, where it is the effect that does not fit.
        let Some(at) = text.verbs.last() else { return };
        if mixed || (of_output && !verbs.is_empty()) {
            let message = "these verbs have different patterns".to_owned();
            self.error("P014", at, message, "write one rule for each");
        }
        let other = match (text.says, verbs.first()) {
            (Says::Redact, Some(_)) => {
                "only output is redacted: write `redact = \"output\"`; to keep an access from \
                 happening, write `deny`"
            }
            (Says::Effect(Effect::Allow | Effect::Ask), _) if of_output => {
                "output is there already: write `redact = \"output\"` to replace what matches, \
                 `deny = \"output\"` to withhold it all, or `note = \"output\"` to tell of it"
            }
            _ => return,
        };
        let says = match text.says {
            Says::Effect(effect) => effect.as_str(),
            Says::Redact => "redact",
            Says::Note => "note",
        };
        let verb = verbs.last().map_or("output", |verb| verb.as_str());
        let verb = if of_output { "output" } else { verb };
        self.error("P014", at, format!("`{says}` is not said of `{verb}`"), other);
    }

    pub(super) fn paths(&mut self, texts: &[At<PatternText>], stance: Stance) -> Vec<PathPattern> {
        self.each(texts, stance, Kind::Paths, PathPattern::parse)
    }

    pub(super) fn tools(&mut self, texts: &[At<PatternText>], stance: Stance) -> Vec<CallPattern> {
        self.each(texts, stance, Kind::Tools, |text, _, _| CallPattern::parse(text))
    }

    pub(super) fn output(&mut self, text: &RuleText) -> Vec<OutputPattern> {
        let mut patterns = Vec::new();
        for at in &text.matches {
            let read = match &at.value {
                PatternText::Text(name) if name == "$keys" => Ok(OutputPattern::Keys),
                PatternText::Text(name) if name == "**" => Ok(OutputPattern::Everything),
                PatternText::Text(text) => {
                    let of_another = |name| misplaced(name, Kind::Output);
                    Err(text.strip_prefix('$').and_then(of_another).unwrap_or_else(|| {
                        let forms = "`$keys`, `**`, `{ regex = \"...\" }` or `{ entropy = 4.5 }`";
                        PatternError::new(format!("an output pattern is {forms}"))
                    }))
                }
                PatternText::Regex(regex) => OutputPattern::regex(regex),
                PatternText::Entropy { bits, near } => {
                    HighEntropy::new(*bits, near.as_deref()).map(OutputPattern::Entropy)
                }
            };
            match read {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.pattern_error(at, &error),
            }
            self.write(at, at.value.clone(), None, None);
        }
        patterns
    }

    pub(super) fn each<T>(
        &mut self,
        texts: &[At<PatternText>],
        stance: Stance,
        kind: Kind,
        parse: impl Fn(&str, &Anchors, Stance) -> Result<T, PatternError>,
    ) -> Vec<T> {
        let mut patterns = Vec::new();
        for at in texts {
            if self.size.full || self.diagnostics.len() >= DIAGNOSTICS_MAX {
                break;
            }
            let PatternText::Text(text) = &at.value else {
                let error = PatternError::new("a table stands only for output");
                self.pattern_error(at, &error);
                continue;
            };
            let mut out = Expansion { kind, steps: 0, entries: Vec::new() };
            if let Err(error) = self.expand(&Entry { text, added: None }, None, &mut out) {
                self.pattern_error(at, &error);
            }
            // What is nowhere named is counted too: lists of empty lists grow alike.
            self.size.patterns += out.steps.saturating_sub(out.entries.len());
            let (read, mut failed) = (patterns.len(), Vec::new());
            for entry in out.entries {
                if let Err(error) = self.size.add(&entry.text) {
                    self.pattern_error(at, &error);
                    break;
                }
                match (parse(&entry.text, self.anchors, stance), &entry.added) {
                    (Ok(pattern), _) => patterns.push(pattern),
                    (Err(error), None) => failed.push(error),
                    (Err(error), Some((file, span))) => {
                        let code = error.code.unwrap_or("P009");
                        let found = Diagnostic::error(code, file, span.clone(), error.message);
                        self.diagnostics.push(found);
                    }
                }
                let added_by = entry.added.map(|(file, _)| file);
                let list = (entry.text != *text).then(|| text.clone());
                self.write(at, PatternText::Text(entry.text), list, added_by);
            }
            self.failed(at, text, kind, patterns.len() > read, failed);
        }
        patterns
    }

    /// What could not be read of one entry; a list of which nothing could is one mistake, not one
    /// for each of its entries.
    fn failed(
        &mut self,
        at: &At<PatternText>,
        text: &str,
        kind: Kind,
        some: bool,
        failed: Vec<PatternError>,
    ) {
        match failed.as_slice() {
            [first, _, ..] if !some => {
                let message = format!("no entry of `{text}` can be read here: {}", kind.rule());
                let help = match &first.help {
                    Some(help) => format!("the first of them: {}; {help}", first.message),
                    None => format!("the first of them: {}", first.message),
                };
                self.pattern_error(at, &PatternError::new(message).help(help));
            }
            all => all.iter().for_each(|error| self.pattern_error(at, error)),
        }
    }

    /// Keeps what stands for a pattern, for people and for the digest.
    fn write(
        &mut self,
        at: &At<PatternText>,
        text: PatternText,
        list: Option<String>,
        added_by: Option<String>,
    ) {
        if self.writes {
            let line = self.line_of(at);
            self.written.push(WrittenPattern { text, list, added_by, line });
        }
    }

    /// `$name` alone is a list, of this file or built in; anything else is itself.
    fn expand(
        &self,
        entry: &Entry<'_>,
        from: Option<&Trail<'_>>,
        out: &mut Expansion,
    ) -> Result<(), PatternError> {
        out.steps += 1;
        if out.steps > LIST_ENTRIES_MAX {
            let message = format!("this stands for more than {LIST_ENTRIES_MAX} entries");
            return Err(PatternError::new(message)
                .help("lists of lists grow by the power: name each list once"));
        }
        let name = entry.text.strip_prefix('$').filter(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        let Some(name) = name.filter(|name| !matches!(*name, "workspace" | "home" | "tmp")) else {
            out.entries.push(Expanded::of(entry.text, entry));
            return Ok(());
        };
        let trail = Trail { name, from, depth: from.map_or(1, |from| from.depth + 1) };
        trail.check()?;
        if let Some(values) = self.lists.get(name) {
            return values.iter().try_for_each(|value| self.expand(value, Some(&trail), out));
        }
        if let Some(error) = misplaced(name, out.kind) {
            return Err(error);
        }
        if let Some(values) = builtin::list(name) {
            out.entries.extend(values.iter().map(|text| Expanded::of(text, entry)));
            return Ok(());
        }
        let fits = |name: &&str| Kind::of(name) == Some(out.kind);
        let known = self.lists.keys().copied();
        let known = known.chain(builtin::NAMES.iter().copied().filter(fits));
        let help = match did_you_mean(name, known.clone()) {
            Some(meant) => format!("did you mean `${meant}`?"),
            None => "name it in `[let]`".to_owned(),
        };
        let error = PatternError::new(format!("there is no list `${name}`")).help(help);
        Err(match surely_meant(name, known) {
            Some(meant) => error.fix(entry.text, format!("${meant}")),
            None => error,
        })
    }

    fn pattern_error(&mut self, at: &At<PatternText>, error: &PatternError) {
        let message = error.message.clone();
        let code = error.code.unwrap_or("P009");
        let mut found = Diagnostic::error(code, self.name, at.span.clone(), message);
        found.help.clone_from(&error.help);
        if let (Some((of, with)), PatternText::Text(text)) = (&error.fix, &at.value)
            && of == text
        {
            found.fix = Fix::requote(text, &at.span, with);
        }
        self.diagnostics.push(found);
    }
}

/// A list that the language brings along for rules of another kind.
fn misplaced(name: &str, kind: Kind) -> Option<PatternError> {
    let holds = Kind::of(name).filter(|holds| *holds != kind)?;
    let message = format!("`${name}` holds {}; {}", holds.word(), kind.rule());
    let help = match holds {
        Kind::Output => "write it into a rule of `output`, as `redact = \"output\"`",
        Kind::Paths => "write it into a rule of `read` or `write`",
        Kind::Commands => "write it into a rule of `exec`",
        Kind::Hosts => "write it into a rule of `connect`",
        Kind::Tools => "write it into a rule of `call`",
    };
    Some(PatternError::new(message).help(help))
}
