//! The patterns of a rule: lists written out, each pattern read, the bounds kept.

use super::file::{Compiler, Entry};
use crate::limits::{DIAGNOSTICS_MAX, LIST_DEPTH_MAX, LIST_ENTRIES_MAX};
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::builtin;
use crate::policy::diagnostic::{Diagnostic, Fix, did_you_mean, surely_meant};
use crate::policy::document::{At, PatternText, RuleText};
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

    pub(super) fn paths(&mut self, texts: &[At<PatternText>], stance: Stance) -> Vec<PathPattern> {
        self.each(texts, stance, PathPattern::parse)
    }

    pub(super) fn output(&mut self, text: &RuleText) -> Vec<OutputPattern> {
        let mut patterns = Vec::new();
        for at in &text.matches {
            let read = match &at.value {
                PatternText::Text(name) if name == "$keys" => Ok(OutputPattern::Keys),
                PatternText::Text(name) if name == "**" => Ok(OutputPattern::Everything),
                PatternText::Text(_) => Err(PatternError::new(
                    "an output pattern is `$keys`, `**` or `{ regex = \"...\" }`",
                )),
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
            let mut expanded = Vec::new();
            let mut steps = 0;
            let itself = Entry { text, added: None };
            if let Err(error) = self.expand(&itself, None, &mut steps, &mut expanded) {
                self.pattern_error(at, &error);
            }
            // What is nowhere named is counted too: lists of empty lists grow alike.
            self.size.patterns += steps.saturating_sub(expanded.len());
            for entry in expanded {
                if let Err(error) = self.size.add(&entry.text) {
                    self.pattern_error(at, &error);
                    break;
                }
                match (parse(&entry.text, self.anchors, stance), &entry.added) {
                    (Ok(pattern), _) => patterns.push(pattern),
                    (Err(error), None) => self.pattern_error(at, &error),
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
        }
        patterns
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
        steps: &mut usize,
        into: &mut Vec<Expanded>,
    ) -> Result<(), PatternError> {
        *steps += 1;
        if *steps > LIST_ENTRIES_MAX {
            let message = format!("this stands for more than {LIST_ENTRIES_MAX} entries");
            return Err(PatternError::new(message)
                .help("lists of lists grow by the power: name each list once"));
        }
        let name = entry.text.strip_prefix('$').filter(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        let Some(name) = name.filter(|name| !matches!(*name, "workspace" | "home" | "tmp")) else {
            into.push(Expanded::of(entry.text, entry));
            return Ok(());
        };
        let trail = Trail { name, from, depth: from.map_or(1, |from| from.depth + 1) };
        trail.check()?;
        if let Some(values) = self.lists.get(name) {
            return values
                .iter()
                .try_for_each(|value| self.expand(value, Some(&trail), steps, into));
        }
        if let Some(values) = builtin::list(name) {
            into.extend(values.iter().map(|text| Expanded::of(text, entry)));
            return Ok(());
        }
        let known = self.lists.keys().copied().chain(builtin::NAMES.iter().copied());
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
