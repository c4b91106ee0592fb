//! The canonical text of a merged policy: the same for every way of writing the same policy.
//!
//! Its SHA-256 is the policy's digest. It is JSON in ASCII, one rule a line, every list whose order
//! means nothing sorted. Comments, layout, the order of files, rules and patterns within a layer,
//! examples and tests are not in it, and neither is where a file lies; every word that a decision
//! or a message could depend on is.

use super::document::{At, BudgetText, ConditionText, Document, LimitText, PatternText};
use super::document::{Phase, RuleText, ServerText, Tested, ToolText};
use super::rule::{Default, LayerKind, Power, Unattended};
use super::written::{WrittenPattern, WrittenRule};
use crate::model::record::CaptureLevel;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A merged policy, while its parts are put together.
#[derive(Debug, std::default::Default)]
pub(super) struct Canonical {
    layers: BTreeMap<LayerKind, Layer>,
}

#[derive(Debug)]
struct Layer {
    power: Power,
    files: Vec<String>,
    packs: BTreeSet<String>,
    servers: Vec<String>,
    tools: Vec<String>,
    rules: Vec<String>,
}

impl Canonical {
    /// Adds one file of a layer: all of it but its rules.
    pub(super) fn file(&mut self, kind: LayerKind, power: Power, document: &Document) {
        let layer = self.layer(kind, power);
        layer.files.push(file(document));
        layer.servers.extend(document.servers.iter().map(server));
        layer.tools.extend(document.tools.iter().map(tool));
    }

    /// Adds rules of a layer, each as [`rule`] has it.
    pub(super) fn rules(&mut self, kind: LayerKind, power: Power, lines: Vec<String>) {
        self.layer(kind, power).rules.extend(lines);
    }

    /// Adds the shipped packs that a file includes, each as [`pack`] has it. One that two files
    /// include stands there once.
    pub(super) fn packs(&mut self, kind: LayerKind, power: Power, packs: Vec<String>) {
        self.layer(kind, power).packs.extend(packs);
    }

    fn layer(&mut self, kind: LayerKind, power: Power) -> &mut Layer {
        self.layers.entry(kind).or_insert_with(|| Layer {
            power,
            files: Vec::new(),
            packs: BTreeSet::new(),
            servers: Vec::new(),
            tools: Vec::new(),
            rules: Vec::new(),
        })
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        let mut out = "{\"toolgate\":1,\"layers\":[".to_owned();
        for (place, (kind, layer)) in self.layers.into_iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            let power = layer.power.as_str();
            let _ = write!(out, "\n{{\"layer\":\"{}\",\"power\":\"{power}\"", kind.as_str());
            lines(&mut out, "policies", layer.files);
            lines(&mut out, "include", layer.packs.into_iter().collect());
            lines(&mut out, "mcp", layer.servers);
            lines(&mut out, "tools", layer.tools);
            lines(&mut out, "rules", layer.rules);
            out.push('}');
        }
        out.push_str("]}\n");
        out
    }
}

/// SHA-256 of a text, in lower-case hexadecimal.
#[must_use]
pub fn sha256(content: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(content) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// One shipped pack: its own text, and its rules with what the lists of this version hold.
pub(super) fn pack(name: &str, content: &str, rules: Vec<String>) -> String {
    let mut line = Object::new();
    line.text("name", name);
    line.field("rules", |out| set(out, &rules, |out, rule| out.push_str(rule)));
    line.text("sha256", &sha256(content));
    line.end()
}

/// One rule, its lists written out.
pub(super) fn rule(rule: &RuleText, written: &WrittenRule) -> String {
    let mut line = Object::new();
    line.some_text("capture", rule.capture.map(capture));
    line.text("id", &rule.id.value);
    if let Some(at) = &rule.limit {
        line.field("limit", |out| limit(out, &at.value));
    }
    line.some_set("mark", &rule.marks, label);
    line.field("match", |out| set(out, &written.matches, pattern));
    line.some_text("mode", rule.shadow.then_some("shadow"));
    line.text("says", rule.says.as_str());
    line.some_set("unless", &written.unless, pattern);
    line.some_set("unmark", &rule.unmarks, label);
    line.some_number("until_us", rule.until.as_ref().map(|until| until.value.0));
    line.field("verbs", |out| set(out, &rule.verbs, verb));
    line.some_set("when", &rule.when, condition);
    line.some_text("why", rule.why.as_deref());
    line.end()
}

/// What a file says besides its rules. A key that it leaves out is as good as its default.
fn file(document: &Document) -> String {
    let header = &document.header;
    let default = header.default.unwrap_or(Default::Deny);
    let unattended = match header.unattended.unwrap_or(Unattended::Deny) {
        Unattended::Deny => "deny",
        Unattended::Defer => "defer",
    };
    let workspace = document.lists.iter().find(|(name, _)| name.value == "workspace");
    let mut line = Object::new();
    if let Some(terms) = &document.budget {
        line.field("budget", |out| budget(out, terms));
    }
    line.text("default", default.verdict().as_str());
    line.some_set("external", &document.external, label);
    line.some_set("layers", &document.layers, |out, (kind, power)| {
        let _ = write!(out, "[\"{}\",\"{}\"]", kind.as_str(), power.value.as_str());
    });
    line.some_text("name", header.name.as_ref().map(|name| name.value.as_str()));
    line.text("opaque", header.opaque.unwrap_or(default).verdict().as_str());
    line.some_set("open", &document.open, |out, (name, values)| {
        out.push('[');
        text(out, &name.value);
        out.push(',');
        set(out, values, label);
        out.push(']');
    });
    line.some_set("signers", &header.signers, label);
    line.text("unattended", unattended);
    line.some_text("version", header.version.as_ref().map(|version| version.value.as_str()));
    line.some_set("workspace", workspace.map_or(&[][..], |(_, values)| values), label);
    line.end()
}

fn budget(out: &mut String, budget: &BudgetText) {
    let mut line = Object::new();
    line.some_number("calls", budget.calls);
    line.some_number("cost_usd", budget.cost_usd);
    if let Some(models) = &budget.models {
        line.field("models", |out| set(out, models, |out, model| text(out, model)));
    }
    line.some_number("output_bytes", budget.output_bytes);
    line.some_number("turns", budget.turns);
    line.some_number("wall_s", budget.wall.map(|wall| wall.as_secs()));
    out.push_str(&line.end());
}

fn server(server: &ServerText) -> String {
    let mut line = Object::new();
    line.field("command", |out| list(out, &server.command, |out, word| text(out, word)));
    line.text("name", &server.name.value);
    line.some_text("on_change", server.on_change);
    line.some_text("pin", server.pin);
    line.some_text("url", server.url.as_deref());
    line.end()
}

fn tool(tool: &ToolText) -> String {
    let mut line = Object::new();
    line.field("arguments", |out| {
        set(out, &tool.arguments, |out, (verb, argument)| {
            let _ = write!(out, "[\"{verb}\",");
            label(out, argument);
            out.push(']');
        });
    });
    line.text("tool", &tool.name.value);
    line.end()
}

fn limit(out: &mut String, limit: &LimitText) {
    let mut line = Object::new();
    line.some_number("max", Some(limit.max));
    line.text("over", limit.over.as_str());
    line.text("per", limit.per.as_str());
    line.text("scope", if limit.of_user { "user" } else { "session" });
    line.some_text("sum", limit.sum.as_deref());
    out.push_str(&line.end());
}

fn capture(level: CaptureLevel) -> &'static str {
    match level {
        CaptureLevel::Full => "full",
        CaptureLevel::Redacted => "redacted",
        CaptureLevel::Digest => "digest",
    }
}

fn condition(out: &mut String, condition: &ConditionText) {
    out.push('[');
    text(out, &condition.key.value);
    out.push(',');
    tested(out, &condition.test.value);
    out.push(']');
}

fn tested(out: &mut String, test: &Tested) {
    match test {
        Tested::Text(value) => text(out, value),
        // The shortest digits that are this number.
        Tested::Number(value) => out.push_str(&value.to_string()),
        Tested::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tested::Regex(pattern) => regex(out, pattern),
        Tested::Absent(absent) => {
            let _ = write!(out, "{{\"absent\":{absent}}}");
        }
        Tested::Any(all) => set(out, all, tested),
    }
}

fn pattern(out: &mut String, pattern: &WrittenPattern) {
    match &pattern.text {
        PatternText::Text(plain) => text(out, plain),
        PatternText::Regex(pattern) => regex(out, pattern),
        PatternText::Entropy { bits, near } => {
            let mut line = Object::new();
            // The shortest digits that are this number.
            line.some_number("entropy", Some(bits));
            if let Some(near) = near {
                line.text("near", near);
            }
            out.push_str(&line.end());
        }
    }
}

fn regex(out: &mut String, pattern: &str) {
    let mut line = Object::new();
    line.text("regex", pattern);
    out.push_str(&line.end());
}

fn label(out: &mut String, label: &At<String>) {
    text(out, &label.value);
}

fn verb(out: &mut String, phase: &At<Phase>) {
    text(
        out,
        match phase.value {
            Phase::Before(verb) => verb.as_str(),
            Phase::Output => "output",
        },
    );
}

/// An object while it is written; its fields come in the order of their names.
struct Object {
    out: String,
}

impl Object {
    fn new() -> Object {
        Object { out: "{".to_owned() }
    }

    fn field(&mut self, name: &'static str, value: impl FnOnce(&mut String)) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.extend(["\"", name, "\":"]);
        value(&mut self.out);
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.field(name, |out| text(out, value));
    }

    fn some_text(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn some_number(&mut self, name: &'static str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.field(name, |out| out.push_str(&value.to_string()));
        }
    }

    fn some_set<T>(&mut self, name: &'static str, values: &[T], one: impl Fn(&mut String, &T)) {
        if !values.is_empty() {
            self.field(name, |out| set(out, values, one));
        }
    }

    fn end(mut self) -> String {
        self.out.push('}');
        self.out
    }
}

fn list<T>(out: &mut String, values: &[T], one: impl Fn(&mut String, &T)) {
    out.push('[');
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        one(out, value);
    }
    out.push(']');
}

/// A list whose order and repetitions mean nothing.
fn set<T>(out: &mut String, values: &[T], one: impl Fn(&mut String, &T)) {
    if values.len() < 2 {
        return list(out, values, one);
    }
    let mut texts: Vec<String> = values
        .iter()
        .map(|value| {
            let mut text = String::new();
            one(&mut text, value);
            text
        })
        .collect();
    texts.sort_unstable();
    texts.dedup();
    list(out, &texts, |out, text| out.push_str(text));
}

/// A list of objects, one a line. A repeated one is kept: a limit that stands twice counts twice.
fn lines(out: &mut String, name: &str, mut entries: Vec<String>) {
    entries.sort_unstable();
    let _ = write!(out, ",\n\"{name}\":[");
    for (place, entry) in entries.iter().enumerate() {
        out.push_str(if place == 0 { "\n" } else { ",\n" });
        out.push_str(entry);
    }
    out.push(']');
}

/// A JSON string of ASCII characters alone.
fn text(out: &mut String, plain: &str) {
    out.push('"');
    let as_it_is = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
    if plain.bytes().all(as_it_is) {
        out.push_str(plain);
    } else {
        for c in plain.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                ' '..='~' => out.push(c),
                _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                    let _ = write!(out, "\\u{unit:04x}");
                }),
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
