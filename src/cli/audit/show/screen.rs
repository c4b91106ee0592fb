//! A decision for people: what was decided first, then why, then what belongs to it.

use super::pretty;
use super::texts::Kept;
use crate::audit::wire::{WireCapture, WireRecord};
use crate::cli::audit::paint_of;
use crate::cli::show::{Paint, colour, paint, plain};
use crate::review::decision::{Again, DecisionView, NearRule, RuleView};
use crate::review::moment::{span, to_the_second};
use crate::review::subject;
use std::collections::HashMap;

/// The whole of it.
pub(super) fn whole(view: &DecisionView, texts: &HashMap<String, Kept>) -> String {
    let mut screen = Screen { out: String::new(), colour: colour() };
    screen.head(view);
    screen.accesses(&view.record);
    screen.rules(view);
    screen.again("the policy of then, asked again", &view.then, true);
    screen.again("the current policy", &view.now, false);
    screen.siblings(view);
    screen.capture("input", view.record.input.as_ref(), texts);
    screen.capture("output", view.record.output.as_ref(), texts);
    screen.place(view);
    screen.out
}

struct Screen {
    out: String,
    colour: bool,
}

/// Rules of one policy that are listed; `--format json` has all.
const RULES_SHOWN: usize = 12;
/// Accesses that are listed.
const ACCESSES_SHOWN: usize = 40;
/// How wide the names of lines are.
const NAME: usize = 9;

impl Screen {
    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&plain(text));
        self.out.push('\n');
    }

    /// A line that begins with an effect in its colour.
    fn effect(&mut self, indent: usize, effect: &str, text: &str) {
        let shown = paint(&format!("{:<5}", plain(effect)), paint_of(effect), self.colour);
        self.out.push_str(&format!("{}{shown}  {}\n", " ".repeat(indent), plain(text)));
    }

    fn title(&mut self, text: &str) {
        let text = paint(&plain(text), Paint::Dim, self.colour);
        self.out.push_str(&format!("\n{text}\n"));
    }

    fn named(&mut self, name: &str, text: &str) {
        self.line(0, &format!("{name:<NAME$}{text}"));
    }

    fn head(&mut self, view: &DecisionView) {
        let record = &view.record;
        let what = subject(record);
        let name = record.tool.as_deref().unwrap_or(&record.kind);
        match &record.decision {
            Some(decision) => {
                self.effect(0, &decision.effect, &format!("{name}  {what}"));
                self.named("why", &decision.reason);
                let mut basis = decision.basis.clone();
                if let Some(attended) = &decision.attended {
                    basis.push_str(&format!(", with somebody there to ask: {attended}"));
                }
                if let Some(us) = record.decided_us {
                    basis.push_str(&format!("; decided in {us} µs"));
                }
                self.named("rests on", &basis);
                if !decision.obligations.is_empty() {
                    self.named("and", &decision.obligations.join(", "));
                }
            }
            None => self.line(0, &format!("{name}  {what}")),
        }
        self.named("when", &format!("{} UTC", to_the_second(&record.ts)));
        self.named("who", &who(record));
        if let Some(cwd) = &record.cwd {
            self.named("in", cwd);
        }
        if let Some(call) = &record.call {
            let theirs = record.tool_use_id.as_deref();
            let theirs = theirs.map(|id| format!("  (the runtime's: {id})")).unwrap_or_default();
            self.named("call", &format!("{call}{theirs}"));
        }
        if let Some(policy) = &record.policy {
            self.named("policy", &format!("{}  sha256:{}", policy.name, policy.sha256));
        }
        if let Some(load) = &view.policy {
            let since = to_the_second(&load.ts);
            self.named(
                "",
                &format!("in force since {since} UTC, by {} (record {})", load.cause, load.seq),
            );
        }
    }

    fn accesses(&mut self, record: &WireRecord) {
        if record.accesses.is_empty() {
            return;
        }
        self.title("what it would do");
        for access in record.accesses.iter().take(ACCESSES_SHOWN) {
            self.effect(2, &access.verdict, &format!("{:<7}  {}", access.verb, access.target));
            if let Some(real) = &access.real {
                self.line(9, &format!("really {real}"));
            }
            if let Some(doubt) = &access.doubt {
                self.line(9, &format!("not certain: {doubt}"));
            }
        }
        let shown = record.accesses.len().min(ACCESSES_SHOWN);
        let more = record.accesses.len() - shown + record.accesses_more;
        if more > 0 {
            self.line(2, &format!("and {more} more"));
        }
    }

    fn rules(&mut self, view: &DecisionView) {
        if !view.rules.is_empty() {
            self.title("the rules that made it, as they stood");
        }
        for rule in &view.rules {
            self.rule(rule);
        }
        if let Some(doubt) = view.policy_doubt.as_ref().filter(|_| !view.rules.is_empty()) {
            self.line(2, &format!("their texts: {doubt}"));
        }
        let others = &view.besides;
        if !others.is_empty() {
            self.title("rules that matched or may have, besides");
        }
        for rule in others.iter().take(RULES_SHOWN) {
            let shadow = if rule.shadow { ", in shadow: told only" } else { "" };
            self.effect(
                2,
                &rule.effect,
                &format!("{}  (matched: {}{shadow})", rule.id, rule.matched),
            );
        }
        if let Some(more) = others.len().checked_sub(RULES_SHOWN).filter(|more| *more > 0) {
            self.line(2, &format!("and {more} more (--format json has all)"));
        }
    }

    fn rule(&mut self, rule: &RuleView) {
        let shadow = if rule.shadow { ", in shadow: told only" } else { "" };
        let place = match rule.line {
            0 => rule.file.clone(),
            line => format!("{}:{line}", rule.file),
        };
        let text = format!("{}  {place}  (matched: {}{shadow})", rule.id, rule.matched);
        self.effect(2, &rule.effect, &text);
        for line in rule.text.iter().flat_map(|text| text.lines()) {
            self.line(7, &format!("| {line}"));
        }
    }

    fn again(&mut self, title: &str, again: &Again, of_then: bool) {
        self.title(title);
        if !again.told {
            self.line(2, &format!("cannot be told: {}", again.why_not));
            return;
        }
        if !again.whose.is_empty() {
            self.line(2, &format!("this is {}", again.whose));
        }
        let same = if again.same { "as it was decided" } else { "NOT as it was decided" };
        self.effect(2, &again.effect, same);
        self.line(9, &again.reason);
        if !of_then {
            self.line(9, &format!("{}  sha256:{}", again.policy, again.sha256));
        }
        for caveat in &again.caveats {
            self.line(9, &format!("but {caveat}"));
        }
        let near: Vec<&NearRule> = again.rules.iter().filter(|rule| told(rule)).collect();
        let mut access = "";
        for rule in near.iter().take(RULES_SHOWN) {
            if rule.access != access {
                access = &rule.access;
                self.line(9, access);
            }
            let place = match rule.line {
                0 => rule.file.clone(),
                line => format!("{}:{line}", rule.file),
            };
            let nearly = if rule.matched == "no" { "nearly" } else { rule.matched.as_str() };
            let differs = match rule.differs.as_str() {
                "" => String::new(),
                why => format!("  ({why})"),
            };
            self.line(11, &format!("{nearly:<6}  {:<5}  {}  {place}{differs}", rule.says, rule.id));
        }
        let more = near.len().saturating_sub(RULES_SHOWN);
        if more > 0 {
            self.line(11, &format!("and {more} more (--format json has all)"));
        }
    }

    fn siblings(&mut self, view: &DecisionView) {
        if view.siblings.is_empty() {
            return;
        }
        self.title("what belongs to it");
        for sibling in &view.siblings {
            let record = &sibling.record;
            let effect = record.decision.as_ref().map(|one| one.effect.as_str()).unwrap_or("");
            let after = format!("+{}", span(sibling.after_ms));
            let about = match effect {
                "" => sibling.about.clone(),
                // What came back is no second decision.
                _ if record.decided().is_none() => sibling.about.clone(),
                effect if sibling.about.is_empty() => effect.to_owned(),
                effect => format!("{effect}: {}", sibling.about),
            };
            self.line(2, &format!("{after:>12}  {:<12}  {:>8}  {about}", record.kind, record.seq));
        }
    }

    fn capture(
        &mut self,
        name: &str,
        capture: Option<&WireCapture>,
        texts: &HashMap<String, Kept>,
    ) {
        let Some(capture) = capture else { return };
        self.title(&format!("{name}, {} bytes", capture.bytes));
        match &capture.value {
            Some(value) => {
                for line in pretty(value).lines() {
                    self.line(2, line);
                }
            }
            None => self.line(2, "only its length was kept"),
        }
        for one in &capture.redactions {
            let whole = if one.pointer.is_empty() { "all of it" } else { &one.pointer };
            self.line(2, &format!("taken out: {whole} ({})", one.detector));
            let Some(name) = &one.blob else { continue };
            self.line(4, &format!("kept text {name}"));
            let Some(kept) = texts.get(name) else { continue };
            self.line(4, &kept.told);
            for line in kept.text.iter().flat_map(|text| text.lines()) {
                self.line(6, line);
            }
        }
    }

    fn place(&mut self, view: &DecisionView) {
        self.title("its place in the log");
        let record = &view.record;
        self.named("record", &format!("{}/{}", record.stream, record.seq));
        self.named("line", &format!("{} of {}", view.line, view.file));
        self.named("proof", &format!("{}: {}", view.proof.state, view.proof.told));
    }
}

/// Rules that are worth a line to people: all but those that plainly do not match.
fn told(rule: &NearRule) -> bool {
    rule.matched != "no" || !rule.differs.is_empty()
}

fn who(record: &WireRecord) -> String {
    let mut parts = Vec::new();
    parts.extend(record.session.as_ref().map(|session| format!("session {session}")));
    parts.extend(record.uid.map(|uid| format!("uid {uid}")));
    parts.extend(record.runtime.clone());
    if let Some(agent) = &record.agent {
        parts.push(match &agent.id {
            Some(id) => format!("{} {id}", agent.kind),
            None => agent.kind.clone(),
        });
    }
    parts.extend(record.sender.clone());
    match parts.is_empty() {
        true => "the sidecar itself".to_owned(),
        false => parts.join(", "),
    }
}
