//! The canonical text of a merged policy: the same for every way of writing the same policy.
//!
//! Its SHA-256 is the policy's digest. It is JSON in ASCII, one rule a line, every list whose order
//! means nothing sorted. Comments, layout, the order of files, rules and patterns within a layer,
//! examples and tests are not in it, and neither is where a file lies; every word that a decision
//! or a message could depend on is.

use super::document::{BudgetText, ConditionText, Document, LimitText, PatternText, Per};
use super::document::{Phase, RuleText, ServerText, Tested, ToolText};
use super::rule::{Default, LayerKind, Power, Says, Unattended};
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
            let power = match layer.power {
                Power::Tighten => "tighten",
                Power::Fill => "fill",
                Power::Full => "full",
            };
            let _ = write!(out, "\n{{\"layer\":{},\"power\":{}", text(kind.as_str()), text(power));
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
    let rules = set(rules.into_iter());
    object([("name", text(name)), ("rules", rules), ("sha256", text(&sha256(content)))])
}

/// One rule, its lists written out.
pub(super) fn rule(rule: &RuleText, written: &WrittenRule) -> String {
    let says = match rule.says {
        Says::Effect(effect) => effect.as_str(),
        Says::Redact => "redact",
        Says::Note => "note",
    };
    let capture = rule.capture.map(|level| match level {
        CaptureLevel::Full => text("full"),
        CaptureLevel::Redacted => text("redacted"),
        CaptureLevel::Digest => text("digest"),
    });
    let verbs = rule.verbs.iter().map(|verb| match verb.value {
        Phase::Before(verb) => text(verb.as_str()),
        Phase::Output => text("output"),
    });
    let labels = |labels: &[super::document::At<String>]| {
        some_set(labels.iter().map(|label| text(&label.value)))
    };
    some_object([
        ("capture", capture),
        ("id", Some(text(&rule.id.value))),
        ("limit", rule.limit.as_ref().map(|at| limit(&at.value))),
        ("mark", labels(&rule.marks)),
        ("match", Some(set(written.matches.iter().map(pattern)))),
        ("mode", rule.shadow.then(|| text("shadow"))),
        ("says", Some(text(says))),
        ("unless", some_set(written.unless.iter().map(pattern))),
        ("unmark", labels(&rule.unmarks)),
        ("until_us", rule.until.as_ref().map(|until| until.value.0.to_string())),
        ("verbs", Some(set(verbs))),
        ("when", some_set(rule.when.iter().map(condition))),
        ("why", rule.why.as_deref().map(text)),
    ])
}

/// What a file says besides its rules. A key that it leaves out is as good as its default.
fn file(document: &Document) -> String {
    let header = &document.header;
    let default = header.default.unwrap_or(Default::Deny);
    let word = |default: Default| match default {
        Default::Deny => text("deny"),
        Default::Ask => text("ask"),
        Default::Defer => text("defer"),
    };
    let unattended = match header.unattended.unwrap_or(Unattended::Deny) {
        Unattended::Deny => text("deny"),
        Unattended::Defer => text("defer"),
    };
    let below = document.layers.iter().map(|(kind, power)| {
        let power = match power.value {
            Power::Tighten => "tighten",
            Power::Fill | Power::Full => "fill",
        };
        (kind.as_str(), text(power))
    });
    let below: BTreeMap<&str, String> = below.collect();
    let open = document.open.iter().map(|(name, values)| {
        (name.value.as_str(), set(values.iter().map(|value| text(&value.value))))
    });
    let open: BTreeMap<&str, String> = open.collect();
    let workspace = document.lists.iter().find(|(name, _)| name.value == "workspace");
    some_object([
        ("budget", document.budget.as_ref().map(budget)),
        ("default", Some(word(default))),
        ("external", some_set(document.external.iter().map(|label| text(&label.value)))),
        ("layers", (!below.is_empty()).then(|| object(below))),
        ("name", header.name.as_ref().map(|name| text(&name.value))),
        ("opaque", Some(word(header.opaque.unwrap_or(default)))),
        ("open", (!open.is_empty()).then(|| object(open))),
        ("signers", some_set(header.signers.iter().map(|signer| text(&signer.value)))),
        ("unattended", Some(unattended)),
        ("version", header.version.as_ref().map(|version| text(&version.value))),
        ("workspace", workspace.map(|(_, values)| set(values.iter().map(|v| text(&v.value))))),
    ])
}

fn budget(budget: &BudgetText) -> String {
    some_object([
        ("calls", budget.calls.map(|calls| calls.to_string())),
        ("cost_usd", budget.cost_usd.map(number)),
        ("models", budget.models.as_ref().map(|models| set(models.iter().map(|m| text(m))))),
        ("output_bytes", budget.output_bytes.map(|bytes| bytes.to_string())),
        ("turns", budget.turns.map(|turns| turns.to_string())),
        ("wall_s", budget.wall.map(|wall| wall.as_secs().to_string())),
    ])
}

fn server(server: &ServerText) -> String {
    let command = server.command.iter().map(|word| text(word)).collect::<Vec<_>>();
    some_object([
        ("command", (!command.is_empty()).then(|| format!("[{}]", command.join(",")))),
        ("name", Some(text(&server.name.value))),
        ("on_change", server.on_change.map(text)),
        ("pin", server.pin.map(text)),
        ("url", server.url.as_deref().map(text)),
    ])
}

fn tool(tool: &ToolText) -> String {
    let arguments = tool.arguments.iter().map(|(verb, argument)| {
        object([("argument", text(&argument.value)), ("verb", text(verb.as_str()))])
    });
    object([("arguments", set(arguments)), ("tool", text(&tool.name.value))])
}

fn limit(limit: &LimitText) -> String {
    let per = match limit.per {
        Per::Minute => "min",
        Per::Hour => "hour",
        Per::Day => "day",
        Per::Session => "session",
    };
    some_object([
        ("max", Some(number(limit.max))),
        ("over", Some(text(limit.over.as_str()))),
        ("per", Some(text(per))),
        ("scope", Some(text(if limit.of_user { "user" } else { "session" }))),
        ("sum", limit.sum.as_deref().map(text)),
    ])
}

fn condition(condition: &ConditionText) -> String {
    format!("[{},{}]", text(&condition.key.value), tested(&condition.test.value))
}

fn tested(test: &Tested) -> String {
    match test {
        Tested::Text(value) => text(value),
        Tested::Number(value) => number(*value),
        Tested::Bool(value) => value.to_string(),
        Tested::Regex(regex) => object([("regex", text(regex))]),
        Tested::Absent(absent) => object([("absent", absent.to_string())]),
        Tested::Any(all) => set(all.iter().map(tested)),
    }
}

fn pattern(pattern: &WrittenPattern) -> String {
    match &pattern.text {
        PatternText::Text(plain) => text(plain),
        PatternText::Regex(regex) => object([("regex", text(regex))]),
    }
}

/// The shortest digits that are this number.
fn number(value: f64) -> String {
    value.to_string()
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// Without the fields that are not there.
fn some_object<const N: usize>(fields: [(&str, Option<String>); N]) -> String {
    object(fields.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// A list whose order and repetitions mean nothing.
fn set(values: impl Iterator<Item = String>) -> String {
    let mut values: Vec<String> = values.collect();
    values.sort_unstable();
    values.dedup();
    format!("[{}]", values.join(","))
}

/// The same; nothing if it is empty.
fn some_set(values: impl Iterator<Item = String>) -> Option<String> {
    let mut values = values.peekable();
    values.peek().is_some().then(|| set(values))
}

/// A list of objects, one a line. A repeated one is kept: a limit that stands twice counts twice.
fn lines(out: &mut String, name: &str, mut entries: Vec<String>) {
    entries.sort_unstable();
    let _ = write!(out, ",\n{}:[", text(name));
    for (place, entry) in entries.iter().enumerate() {
        out.push_str(if place == 0 { "\n" } else { ",\n" });
        out.push_str(entry);
    }
    out.push(']');
}

/// A JSON string of ASCII characters alone.
fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len() + 2);
    out.push('"');
    for c in plain.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
