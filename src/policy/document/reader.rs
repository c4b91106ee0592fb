//! Reading one policy file: which key becomes which part of the document.

mod call;
mod rule;
mod state;

use super::{At, Document, Header, PatternText, Phase, RuleText, ToolText};
use crate::limits::POLICY_BYTES_MAX;
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::diagnostic::{Diagnostic, Fix};
use crate::policy::keys;
use crate::policy::pattern::call::check_name;
use crate::policy::pattern::unseen;
use crate::policy::read::{Reader, Table};
use crate::policy::rule::{Default, LayerKind, Power, Says, Unattended};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads one file: as much of it as can be read, and every mistake in it.
#[must_use]
pub fn read(file: &str, text: &str) -> (Document, Vec<Diagnostic>) {
    let mut reader = Reader { file, text, diagnostics: Vec::new() };
    if text.len() > POLICY_BYTES_MAX {
        let message = format!("the file has {} bytes, more than {POLICY_BYTES_MAX}", text.len());
        reader.error("P001", 0..0, message);
        return (Document::default(), reader.diagnostics);
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        reader.error("P001", span, format!("this is no TOML: {}", error.message()));
    }
    let table = reader.table(root.get_ref(), root.span(), keys::TOP, "a policy file");
    let document = reader.document(table);
    (document, reader.diagnostics)
}

/// The effects of the grid, by key.
const EFFECTS: [(&str, Effect); 3] =
    [("allow", Effect::Allow), ("ask", Effect::Ask), ("deny", Effect::Deny)];

const DEFAULTS: [(&str, Default); 3] =
    [("deny", Default::Deny), ("ask", Default::Ask), ("defer", Default::Defer)];

const LAYERS: [(&str, LayerKind); 3] =
    [("org", LayerKind::Org), ("user", LayerKind::User), ("project", LayerKind::Project)];

const PHASES: [(&str, Phase); 6] = [
    ("read", Phase::Before(Verb::Read)),
    ("write", Phase::Before(Verb::Write)),
    ("exec", Phase::Before(Verb::Exec)),
    ("connect", Phase::Before(Verb::Connect)),
    ("call", Phase::Before(Verb::Call)),
    ("output", Phase::Output),
];

type Lists = Vec<(At<String>, Vec<At<String>>)>;

impl<'a> Reader<'a> {
    fn document(&mut self, top: Table<'a>) -> Document {
        self.schema(top);
        let mut rules = Vec::new();
        for verb in Verb::ALL {
            if let Some(value) = top.get(verb.as_str()) {
                rules.extend(self.grid(verb, value));
            }
        }
        for item in self.list_at(top, "rule") {
            rules.extend(self.rule(item));
        }
        let tests = self.list_at(top, "test");
        let (lists, open) = self.lists(top);
        Document {
            header: self.header(top),
            layers: self.powers(top),
            lists,
            open,
            rules,
            tests: tests.into_iter().filter_map(|item| self.test(item)).collect(),
            tools: self.tools(top),
            budget: self.budget(top),
            servers: self.servers(top),
            external: self.external(top),
        }
    }

    fn list_at(&mut self, table: Table<'a>, name: &str) -> Vec<&'a Spanned<DeValue<'a>>> {
        table.get(name).map(|value| self.items(value)).unwrap_or_default()
    }

    fn schema(&mut self, top: Table<'a>) {
        let help = "write `schema = 1` at the top of the file".to_owned();
        match top.get("schema").map(|value| (value.get_ref(), value.span())) {
            Some((DeValue::Integer(number), _)) if number.as_str() == "1" => {}
            Some((value, span)) => {
                let message = "this version reads policies of schema 1".to_owned();
                self.error_with_help("P002", span.clone(), message, help);
                if matches!(value, DeValue::String(text) if text == "1") {
                    self.fix(Fix::new("write `schema = 1`, without quotes", span, "1"));
                }
            }
            None => {
                let message = "the policy does not say its `schema`".to_owned();
                let found = Diagnostic::error("P002", self.file, 0..0, message).with_help(help);
                self.diagnostics.push(found.with_fix(self.line_at_top("schema = 1")));
            }
        }
    }

    fn header(&mut self, top: Table<'a>) -> Header {
        let Some(value) = top.get("policy") else {
            let message = "the policy has no `[policy]` table".to_owned();
            let help = "add `[policy]` with `name`, `version` and `default`".to_owned();
            self.error_with_help("P002", 0..0, message, help);
            return Header::default();
        };
        let Some(table) = self.sub_table(value, keys::POLICY, "[policy]") else {
            return Header::default();
        };
        let name = self.label_at(table, "name");
        if table.get("name").is_none() {
            let message = "the policy has no `name`".to_owned();
            let help = "every record names the policy: add `name = \"...\"`".to_owned();
            self.error_with_help("P002", table.span(), message, help);
        }
        let include = table.get("include").map(|value| self.texts(value)).unwrap_or_default();
        Header {
            name,
            version: self.text_at(table, "version"),
            layer: self.layer(table),
            signers: table.get("signers").map(|value| self.texts(value)).unwrap_or_default(),
            default: self.default_at(table, "default"),
            opaque: self.default_at(table, "opaque"),
            unattended: self.word_at(
                table,
                "unattended",
                &[("deny", Unattended::Deny), ("defer", Unattended::Defer)],
            ),
            include,
        }
    }

    /// A text that stands in every record: it must be seen, and be one line.
    fn label_at(&mut self, table: Table<'a>, name: &str) -> Option<At<String>> {
        let text = self.text_at(table, name)?;
        if text.value.trim().is_empty() || text.value.contains(unseen) {
            let message = format!("this `{name}` cannot be read in a record");
            let help = "write at least one letter, and no control or invisible character";
            self.error_with_help("P006", text.span.clone(), message, help.to_owned());
        }
        Some(text)
    }

    fn word_at<T: Copy>(
        &mut self,
        table: Table<'a>,
        name: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text_at(table, name)?;
        self.choice(&text, choices)
    }

    /// What no rule speaks of; that it may simply happen cannot be said.
    fn default_at(&mut self, table: Table<'a>, name: &str) -> Option<Default> {
        let text = self.text_at(table, name)?;
        let chosen = self.choice(&text, &DEFAULTS);
        if chosen.is_none() && text.value == "allow" {
            self.help(format!(
                "write one of: deny, ask, defer; to only watch, write `{name} = \"defer\"` and \
                 rules with `mode = \"shadow\"`"
            ));
        }
        chosen
    }

    fn layer(&mut self, table: Table<'a>) -> Option<At<LayerKind>> {
        let text = self.text_at(table, "layer")?;
        let kind = self.choice(&text, &LAYERS)?;
        Some(At { value: kind, span: text.span })
    }

    fn powers(&mut self, top: Table<'a>) -> Vec<(LayerKind, At<Power>)> {
        let Some(value) = top.get("layers") else { return Vec::new() };
        let Some(table) = self.sub_table(value, keys::LAYERS, "[layers]") else {
            return Vec::new();
        };
        let choices = [("tighten", Power::Tighten), ("fill", Power::Fill)];
        let below = [("user", LayerKind::User), ("project", LayerKind::Project)];
        let mut powers = Vec::new();
        for (name, kind) in below {
            let Some(text) = self.text_at(table, name) else { continue };
            let power = self.choice(&text, &choices);
            powers.extend(power.map(|value| (kind, At { value, span: text.span })));
        }
        powers
    }

    /// `[let]` and `[let.open]`.
    fn lists(&mut self, top: Table<'a>) -> (Lists, Lists) {
        let Some(value) = top.get("let") else { return (Vec::new(), Vec::new()) };
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type(value.span(), value.get_ref(), "a table");
            return (Vec::new(), Vec::new());
        };
        let (mut lists, mut open) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            match value.get_ref() {
                DeValue::Table(inner) if key.get_ref().as_ref() == "open" => {
                    open.extend(inner.iter().map(|(key, value)| self.list(key, value)));
                }
                _ => lists.push(self.list(key, value)),
            }
        }
        (lists, open)
    }

    fn list(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> (At<String>, Vec<At<String>>) {
        let name: &str = key.get_ref().as_ref();
        let name = At { value: name.to_owned(), span: key.span() };
        (name, self.texts(value))
    }

    fn tools(&mut self, top: Table<'a>) -> Vec<ToolText> {
        let Some(value) = top.get("tool") else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type(value.span(), value.get_ref(), "a table");
            return Vec::new();
        };
        let mut tools = Vec::new();
        for (key, value) in entries {
            let Some(table) = self.sub_table(value, keys::TOOL, "[tool]") else { continue };
            let mut arguments = Vec::new();
            for verb in [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect] {
                let Some(value) = table.get(verb.as_str()) else { continue };
                for argument in self.texts(value) {
                    if argument.value.starts_with("args.") {
                        arguments.push((verb, argument));
                    } else {
                        let message = format!("`{}` names no argument", argument.value);
                        let help = "write `args.` and the argument's name".to_owned();
                        self.error_with_help("P007", argument.span, message, help);
                    }
                }
            }
            let name: &str = key.get_ref().as_ref();
            let name = At { value: name.to_owned(), span: key.span() };
            self.check_tool(&name, arguments.is_empty());
            tools.push(ToolText { name, arguments });
        }
        tools
    }

    /// A row names one tool exactly, and says something of it.
    fn check_tool(&mut self, name: &At<String>, says_nothing: bool) {
        let span = name.span.clone();
        if name.value.contains(['*', '?', '{', '}']) {
            let message =
                format!("`{}` is a pattern, and a row names one tool exactly", name.value);
            let help = "write one row for each tool".to_owned();
            self.error_with_help("P007", span, message, help);
        } else if name.value.contains(unseen) {
            let message = "the tool's name holds an invisible character".to_owned();
            self.error_with_help("P007", span, message, "remove it".to_owned());
        } else if let Err(error) = check_name(&name.value) {
            self.error_with_help("P007", span, error.message, error.help.unwrap_or_default());
        } else if says_nothing {
            let message = format!("the row of `{}` names no argument", name.value);
            let help = "write what an argument means, as `write = \"args.path\"`".to_owned();
            self.error_with_help("P007", span, message, help);
        }
    }

    /// One table of the grid: each entry is exactly a rule of one pattern.
    fn grid(&mut self, verb: Verb, value: &'a Spanned<DeValue<'a>>) -> Vec<RuleText> {
        let place = format!("[{verb}]");
        let Some(table) = self.sub_table(value, keys::GRID, &place) else { return Vec::new() };
        let mut rules = Vec::new();
        for (name, effect) in EFFECTS {
            let Some(value) = table.get(name) else { continue };
            for text in self.texts(value) {
                rules.push(RuleText {
                    id: At {
                        value: format!("{verb}.{name}:{}", text.value),
                        span: text.span.clone(),
                    },
                    says: Says::Effect(effect),
                    verbs: vec![At { value: Phase::Before(verb), span: text.span.clone() }],
                    matches: vec![At { value: PatternText::Text(text.value), span: text.span }],
                    unless: Vec::new(),
                    when: Vec::new(),
                    marks: Vec::new(),
                    unmarks: Vec::new(),
                    limit: None,
                    shadow: false,
                    until: None,
                    capture: None,
                    why: None,
                    examples: Vec::new(),
                });
            }
        }
        rules
    }
}
