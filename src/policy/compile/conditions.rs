//! Conditions, labels and limits of a rule, compiled.

use super::file::Compiler;
use crate::limits::REGEX_BYTES_MAX;
use crate::model::effect::Effect;
use crate::model::time::Moment;
use crate::policy::condition::{Comparison, Condition, Conditions, Test};
use crate::policy::diagnostic::Fix;
use crate::policy::document::{At, ConditionText, RuleText, Tested};
use crate::policy::label::{LabelText, Polarity};
use crate::policy::pattern::text::TextPattern;
use crate::policy::pattern::{Stance, check_text};
use crate::policy::rule::{Limit, Marks, Says, Scope};
use regex::RegexBuilder;

impl Compiler<'_> {
    pub(super) fn conditions(&mut self, text: &RuleText) -> Conditions {
        let mut conditions = Conditions::default();
        for condition in &text.when {
            self.condition(text, condition, &mut conditions);
        }
        conditions
    }

    fn condition(&mut self, rule: &RuleText, text: &ConditionText, into: &mut Conditions) {
        let ConditionText { key, test } = text;
        if let "seen" | "not_seen" = key.value.as_str() {
            return self.label_condition(key, test, into);
        }
        if key.value == "agent" {
            self.check_agent(test);
        }
        let Some(compiled) = self.test(test, &test.value) else { return };
        into.rest.push(match key.value.as_str() {
            "agent" => Condition::Agent(compiled),
            "permission_mode" => Condition::PermissionMode(compiled),
            "result.exit" => {
                if rule.says != Says::Note {
                    let message = "`result.exit` is known only after the call ran".to_owned();
                    self.error("P018", key, message, "only a `note` may ask for it");
                }
                Condition::Exit(compiled)
            }
            argument => {
                let keys = argument.strip_prefix("args.").unwrap_or(argument);
                Condition::Argument(keys.split('.').map(str::to_owned).collect(), compiled)
            }
        });
    }

    /// `Main`: agents are compared by case, and the one that everybody has is `main`.
    fn check_agent(&mut self, test: &At<Tested>) {
        let is_main = |test: &Tested| match test {
            Tested::Text(text) => text != "main" && text.eq_ignore_ascii_case("main"),
            _ => false,
        };
        let found = match &test.value {
            Tested::Any(all) => all.iter().any(is_main),
            one => is_main(one),
        };
        if !found {
            return;
        }
        let message = "the main thread is called `main`, and names are compared by case".to_owned();
        self.error("P018", test, message, "write `main`");
        if let (Tested::Text(text), Some(found)) = (&test.value, self.diagnostics.last_mut()) {
            found.fix = Fix::requote(text, &test.span, "main");
        }
    }

    /// `seen` and `not_seen`: a bit where the label stands as it is, else its text.
    fn label_condition(&mut self, key: &At<String>, test: &At<Tested>, into: &mut Conditions) {
        let seen = key.value == "seen";
        let texts: Vec<&String> = match &test.value {
            Tested::Text(text) => vec![text],
            // Neither of two labels must be there: that is both conditions.
            Tested::Any(all) if !seen => all
                .iter()
                .filter_map(|one| match one {
                    Tested::Text(text) => Some(text),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        if texts.is_empty() {
            let message = format!("`{}` names one label", key.value);
            return self.error("P018", test, message, "for one label or another, write two rules");
        }
        for text in texts {
            let at = At { value: text.clone(), span: test.span.clone() };
            let Some(label) = self.label(&at) else { continue };
            let bit = label.as_plain().and_then(|plain| self.weighed.labels.bit(plain));
            match (bit, seen) {
                (Some(bit), true) => into.seen |= 1 << bit,
                (Some(bit), false) => into.not_seen |= 1 << bit,
                (None, true) => into.rest.push(Condition::Seen(label)),
                (None, false) => into.rest.push(Condition::NotSeen(label)),
            }
        }
    }

    fn label(&mut self, text: &At<String>) -> Option<LabelText> {
        match LabelText::parse(&text.value) {
            Ok(label) => Some(label),
            Err(error) => {
                let message = format!("`{}` is no label: {error}", text.value);
                self.error("P019", text, message, "write it as `secret` or `approved:T1`");
                None
            }
        }
    }

    fn test(&mut self, at: &At<Tested>, value: &Tested) -> Option<Test> {
        match value {
            Tested::Text(text) => self.text_test(at, text),
            Tested::Number(number) => Some(Test::Number(Comparison::Equal, *number)),
            Tested::Bool(value) => Some(Test::Bool(*value)),
            Tested::Absent(absent) => Some(Test::Absent(*absent)),
            Tested::Any(all) => {
                let all: Vec<Test> = all.iter().filter_map(|one| self.test(at, one)).collect();
                (!all.is_empty()).then_some(Test::Any(all))
            }
            Tested::Regex(text) => {
                match RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build() {
                    Ok(regex) => Some(Test::Regex(regex)),
                    Err(error) => {
                        let first = error.to_string().lines().last().unwrap_or_default().to_owned();
                        let message = format!("this regular expression cannot be used: {first}");
                        let help = "the syntax is that of Rust's regex crate: no look-around, no \
                                    back-references";
                        self.error("P018", at, message, help);
                        None
                    }
                }
            }
        }
    }

    /// A comparison, or a glob.
    fn text_test(&mut self, at: &At<Tested>, text: &str) -> Option<Test> {
        if let Some((comparison, bound)) = Comparison::parse(text) {
            return Some(Test::Number(comparison, bound));
        }
        if let Some(help) = other_operator(text) {
            let message = format!("`{text}` is no comparison with a number");
            self.error("P018", at, message, &help);
            return None;
        }
        if text.starts_with(['<', '>']) {
            let message = format!("`{text}` is no comparison with a number");
            self.error("P018", at, message, "write it as `<= 500`, or `\\<` for the character");
            return None;
        }
        if let Err(error) = check_text(text) {
            let help = error.help.unwrap_or_default();
            self.error("P018", at, error.message, &help);
            return None;
        }
        Some(Test::Glob(TextPattern::parse(text)))
    }

    /// What the rule does to labels; each mark is asked in the stance of its kind.
    pub(super) fn marks(&mut self, text: &RuleText, scope: &Scope) -> Marks {
        let mut marks = Marks::default();
        for at in &text.marks {
            let Some(label) = self.label(at) else { continue };
            match self.weighed.labels.polarity_of(label.family()) {
                Polarity::Taint => marks.taints.push(label),
                Polarity::Proof if self.is_read_above(&label) => {
                    let message = format!("this mark of the proof `{label}` is ignored");
                    let help = "a layer above this one reads it, so only that layer may mark it";
                    self.warning("P033", at, message, help);
                }
                Polarity::Proof => marks.proofs.push(label),
            }
        }
        // What is unmarked is a proof: `labels` has weighed that.
        for at in &text.unmarks {
            marks.unmarks.extend(self.label(at));
        }
        let tightens = !marks.taints.is_empty() || !marks.unmarks.is_empty();
        if tightens && scope.stance == Stance::Loosen {
            let other = |this: &mut Self| this.scope(text, Stance::Tighten, Stance::Loosen);
            marks.tightening = Some(Box::new(self.quietly(other)));
        }
        if !marks.proofs.is_empty() && scope.stance == Stance::Tighten {
            let other = |this: &mut Self| this.scope(text, Stance::Loosen, Stance::Tighten);
            marks.loosening = Some(Box::new(self.quietly(other)));
        }
        marks
    }

    fn is_read_above(&self, label: &LabelText) -> bool {
        self.weighed.readers.get(label.family()).is_some_and(|reader| *reader < self.kind)
    }

    /// The rule's limit, by its place among all limits.
    pub(super) fn limit(&mut self, text: &RuleText) -> Option<usize> {
        let at = text.limit.as_ref()?;
        match text.says {
            Says::Effect(Effect::Allow) => {}
            Says::Effect(Effect::Ask) if at.value.over == Effect::Deny => {}
            Says::Effect(Effect::Ask) => {
                let message = "what goes over the limit of an ask can only be denied".to_owned();
                self.error("P015", at, message, "remove `over`, or write `over = \"deny\"`");
                return None;
            }
            Says::Effect(Effect::Deny) | Says::Redact | Says::Note => {
                let message = "only an allow or an ask has a limit".to_owned();
                self.error("P015", at, message, "move the limit to the rule that lets it through");
                return None;
            }
        }
        let rule = format!("{}:{}", self.kind.as_str(), text.id.value);
        self.limits.push(Limit { rule, terms: at.value.clone() });
        Some(self.limits.len() - 1)
    }

    /// A date on which the rule ends, which must never let more through.
    pub(super) fn until(&mut self, text: &RuleText) -> Option<Moment> {
        let at = text.until.as_ref()?;
        let ends_safely = text.shadow || text.says == Says::Effect(Effect::Allow);
        if !ends_safely {
            let message = "a rule that holds something back does not end by itself".to_owned();
            let help = "only an allow, or a rule with `mode = \"shadow\"`, has an `until`: to try \
                        the rule until then, add `mode = \"shadow\"`";
            self.error("P016", at, message, help);
            return None;
        }
        Some(at.value)
    }
}

/// What to write for a comparison as other languages have it.
fn other_operator(text: &str) -> Option<String> {
    let operators = ["==", "!=", "=<", "=>", "<>", "="];
    let operator = operators.into_iter().find(|operator| text.starts_with(operator))?;
    let rest = text.strip_prefix(operator)?;
    let bound = rest.trim();
    let is_number = bound.parse::<f64>().is_ok();
    if !is_number && (operator == "=" || !rest.starts_with(' ')) {
        return None;
    }
    Some(match operator {
        "=<" => format!("write `<= {bound}`"),
        "=>" => format!("write `>= {bound}`"),
        "!=" | "<>" if is_number => {
            format!("there is no such comparison: write `[\"< {bound}\", \"> {bound}\"]`")
        }
        "!=" | "<>" => {
            format!("there is no such comparison: write a rule of its own for `{bound}`")
        }
        _ if is_number => format!("write the number alone: `{bound}`"),
        _ => format!("write the text alone: `{bound}`"),
    })
}
