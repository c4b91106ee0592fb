//! Reading one `[[rule]]`.

use super::super::{At, PatternText, Phase, RuleText};
use super::PHASES;
use crate::model::effect::Effect;
use crate::model::record::CaptureLevel;
use crate::policy::diagnostic::{Fix, surely_meant};
use crate::policy::keys;
use crate::policy::read::{Reader, Table};
use crate::policy::rule::Says;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const CAPTURES: [(&str, CaptureLevel); 3] = [
    ("digest", CaptureLevel::Digest),
    ("redacted", CaptureLevel::Redacted),
    ("full", CaptureLevel::Full),
];

impl<'a> Reader<'a> {
    pub(super) fn rule(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<RuleText> {
        let table = self.sub_table(value, keys::RULE, "[[rule]]")?;
        let id = self.label_at(table, "id");
        if !table.says("id", "[[rule]]") {
            let message = "the rule has no `id`".to_owned();
            let help = "name it: the id stands in every log line and message".to_owned();
            self.error_with_help("P002", table.span(), message, help);
        }
        let (says, verbs) = self.says(table)?;
        let shadow = self.word_at(table, "mode", &[("shadow", true), ("enforce", false)]);
        let examples = self.list_at(table, "examples");
        let matches = self.patterns(table, "match");
        if !table.says("match", "[[rule]]") {
            let message = "the rule has no `match`".to_owned();
            let help = "say what it speaks of; `match = [\"**\"]` is everything".to_owned();
            self.error_with_help("P002", table.span(), message, help);
        }
        for name in ["match", "unless"] {
            let Some(value) = table.get(name) else { continue };
            if matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()) {
                let message = format!("`{name}` names nothing");
                let help = format!(
                    "write a pattern into it, or remove {}",
                    match name {
                        "match" => "the rule",
                        _ => "it",
                    }
                );
                self.error_with_help("P002", value.span(), message, help);
            }
        }
        Some(RuleText {
            id: id?,
            says,
            verbs,
            matches,
            unless: self.patterns(table, "unless"),
            when: self.when(table),
            marks: table.get("mark").map(|value| self.texts(value)).unwrap_or_default(),
            unmarks: table.get("unmark").map(|value| self.texts(value)).unwrap_or_default(),
            limit: self.limit(table),
            shadow: shadow.unwrap_or(false),
            until: self.until(table),
            capture: self.word_at(table, "capture", &CAPTURES),
            why: self.text_at(table, "why").map(|text| text.value),
            examples: examples.into_iter().filter_map(|item| self.example(item)).collect(),
        })
    }

    /// The one effect of a rule and the verbs it is said of.
    fn says(&mut self, table: Table<'a>) -> Option<(Says, Vec<At<Phase>>)> {
        let kinds = [
            ("allow", Says::Effect(Effect::Allow)),
            ("ask", Says::Effect(Effect::Ask)),
            ("deny", Says::Effect(Effect::Deny)),
            ("redact", Says::Redact),
            ("note", Says::Note),
        ];
        let found: Vec<_> =
            kinds.iter().filter_map(|(name, says)| Some((*says, table.get(name)?))).collect();
        let &[(says, value)] = found.as_slice() else {
            let message = "a rule says exactly one of allow, ask, deny, redact, note".to_owned();
            let help = "write two rules if both are meant".to_owned();
            self.error_with_help("P008", table.span(), message, help);
            return None;
        };
        let texts = self.texts(value);
        let mut verbs = Vec::new();
        for text in texts {
            if let Some(phase) = self.choice(&text, &PHASES) {
                verbs.push(At { value: phase, span: text.span });
            }
        }
        Some((says, verbs))
    }

    /// `{ regexp = "a" }`
    fn misspelt_regex(&mut self, entries: &DeTable<'a>) {
        let mut keys = entries.keys();
        let (Some(key), None) = (keys.next(), keys.next()) else { return };
        if surely_meant(key.get_ref(), ["regex"]).is_some() && key.get_ref() != "regex" {
            self.help("did you mean `regex`?".to_owned());
            self.fix(Fix::new("write `regex`", key.span(), "regex"));
        }
    }

    pub(super) fn patterns(&mut self, table: Table<'a>, name: &str) -> Vec<At<PatternText>> {
        let mut patterns = Vec::new();
        for item in self.list_at(table, name) {
            let span = item.span();
            let value = match item.get_ref() {
                DeValue::String(text) => PatternText::Text(text.as_ref().to_owned()),
                DeValue::Table(entries) => match entries.get("regex").map(Spanned::get_ref) {
                    Some(DeValue::String(text)) if entries.len() == 1 => {
                        PatternText::Regex(text.as_ref().to_owned())
                    }
                    None if entries.contains_key("entropy") => match self.entropy(entries, &span) {
                        Some(pattern) => pattern,
                        None => continue,
                    },
                    _ => {
                        let message = "expected `{ regex = \"...\" }` or `{ entropy = 4.5 }`";
                        let message = message.to_owned();
                        self.error("P005", span, message);
                        self.misspelt_regex(entries);
                        continue;
                    }
                },
                other => {
                    self.wrong_type(span, other, "a pattern");
                    continue;
                }
            };
            patterns.push(At { value, span });
        }
        patterns
    }

    /// `{ entropy = 4.5, near = "password" }`
    fn entropy(
        &mut self,
        entries: &DeTable<'a>,
        span: &std::ops::Range<usize>,
    ) -> Option<PatternText> {
        let bits = match entries.get("entropy").map(Spanned::get_ref) {
            Some(DeValue::Float(number)) => number.as_str().parse().ok(),
            Some(DeValue::Integer(number)) => {
                i32::from_str_radix(number.as_str(), number.radix()).ok().map(f64::from)
            }
            _ => None,
        };
        let near = match entries.get("near").map(Spanned::get_ref) {
            Some(DeValue::String(text)) => Some(Some(text.as_ref().to_owned())),
            Some(_) => None,
            None => Some(None),
        };
        let others =
            entries.keys().any(|key| !matches!(key.get_ref().as_ref(), "entropy" | "near"));
        let (Some(bits), Some(near), false) = (bits, near, others) else {
            let message = "expected `{ entropy = 4.5 }` or `{ entropy = 4.5, near = \"...\" }`";
            self.error("P005", span.clone(), message.to_owned());
            return None;
        };
        Some(PatternText::Entropy { bits, near })
    }
}
