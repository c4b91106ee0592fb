//! Reading one policy file: which key becomes which part of the document.

use super::{
    At, CallText, Document, Example, Expect, Header, PatternText, Phase, RuleText, TestText,
    ToolText,
};
use crate::limits::POLICY_BYTES_MAX;
use crate::model::access::Verb;
use crate::model::effect::{Effect, Verdict};
use crate::model::json::Json;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::keys;
use crate::policy::pattern::call::check_name;
use crate::policy::pattern::unseen;
use crate::policy::read::{Reader, Table};
use crate::policy::rule::{Default, Says, Unattended};
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

const VERDICTS: [(&str, Verdict); 4] = [
    ("allow", Verdict::Allow),
    ("ask", Verdict::Ask),
    ("deny", Verdict::Deny),
    ("defer", Verdict::Defer),
];

const PHASES: [(&str, Phase); 6] = [
    ("read", Phase::Before(Verb::Read)),
    ("write", Phase::Before(Verb::Write)),
    ("exec", Phase::Before(Verb::Exec)),
    ("connect", Phase::Before(Verb::Connect)),
    ("call", Phase::Before(Verb::Call)),
    ("output", Phase::Output),
];

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
        Document {
            header: self.header(top),
            lists: self.lists(top),
            rules,
            tests: tests.into_iter().filter_map(|item| self.test(item)).collect(),
            tools: self.tools(top),
        }
    }

    fn list_at(&mut self, table: Table<'a>, name: &str) -> Vec<&'a Spanned<DeValue<'a>>> {
        table.get(name).map(|value| self.items(value)).unwrap_or_default()
    }

    fn schema(&mut self, top: Table<'a>) {
        let help = "write `schema = 1` at the top of the file".to_owned();
        match top.get("schema").map(|value| (value.get_ref(), value.span())) {
            Some((DeValue::Integer(number), _)) if number.as_str() == "1" => {}
            Some((_, span)) => {
                let message = "this version reads policies of schema 1".to_owned();
                self.error_with_help("P002", span, message, help);
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
            default: self.word_at(table, "default", &DEFAULTS),
            opaque: self.word_at(table, "opaque", &DEFAULTS),
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

    fn lists(&mut self, top: Table<'a>) -> Vec<(At<String>, Vec<At<String>>)> {
        let Some(value) = top.get("let") else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type(value.span(), value.get_ref(), "a table");
            return Vec::new();
        };
        let mut lists = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref().as_ref();
            if matches!(value.get_ref(), DeValue::Table(_)) && name == "open" {
                let message = "`[let.open]` is not enforced by this version".to_owned();
                self.error("P004", key.span(), message);
                continue;
            }
            let name = At { value: name.to_owned(), span: key.span() };
            lists.push((name, self.texts(value)));
        }
        lists
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
                    shadow: false,
                    why: None,
                    examples: Vec::new(),
                });
            }
        }
        rules
    }

    fn rule(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<RuleText> {
        let table = self.sub_table(value, keys::RULE, "[[rule]]")?;
        let id = self.label_at(table, "id");
        if table.get("id").is_none() {
            let message = "the rule has no `id`".to_owned();
            let help = "name it: the id stands in every log line and message".to_owned();
            self.error_with_help("P002", table.span(), message, help);
        }
        let (says, verbs) = self.says(table)?;
        let shadow = self.word_at(table, "mode", &[("shadow", true), ("enforce", false)]);
        let examples = self.list_at(table, "examples");
        let matches = self.patterns(table, "match");
        if table.get("match").is_none() {
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
            shadow: shadow.unwrap_or(false),
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

    fn patterns(&mut self, table: Table<'a>, name: &str) -> Vec<At<PatternText>> {
        let mut patterns = Vec::new();
        for item in self.list_at(table, name) {
            let span = item.span();
            let value = match item.get_ref() {
                DeValue::String(text) => PatternText::Text(text.as_ref().to_owned()),
                DeValue::Table(entries) => match entries.get("regex").map(Spanned::get_ref) {
                    Some(DeValue::String(text)) if entries.len() == 1 => {
                        PatternText::Regex(text.as_ref().to_owned())
                    }
                    _ => {
                        let message = "expected `{ regex = \"...\" }`".to_owned();
                        self.error("P005", span, message);
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

    fn example(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<At<Example>> {
        let table = self.sub_table(value, keys::EXAMPLE, "an example")?;
        let call = self.call(table, value.span())?;
        let Some(expect) = self.text_at(table, "expect") else {
            let message = "the example does not say what to expect".to_owned();
            let help = "add `expect = \"match\"`, \"maybe\" or \"skip\"".to_owned();
            self.error_with_help("P002", value.span(), message, help);
            return None;
        };
        let choices = [("match", Expect::Match), ("maybe", Expect::Maybe), ("skip", Expect::Skip)];
        let expect = self.choice(&expect, &choices)?;
        let files = table.get("files").map(|value| self.texts(value)).unwrap_or_default();
        let cwd = self.text_at(table, "cwd");
        Some(At { value: Example { call, expect, files, cwd }, span: value.span() })
    }

    /// The call of an example or test: exactly one of the short forms.
    fn call(&mut self, table: Table<'a>, span: std::ops::Range<usize>) -> Option<CallText> {
        let names = ["bash", "read", "write", "exec", "connect", "call"];
        let mut found = names.iter().filter(|name| table.get(name).is_some());
        let (Some(name), None) = (found.next(), found.next()) else {
            let message = "a call is exactly one of bash, read, write, exec, connect, call";
            self.error("P008", span, message.to_owned());
            return None;
        };
        if let Some(args) = table.get("args") {
            if !matches!(args.get_ref(), DeValue::Table(_)) {
                self.wrong_type(args.span(), args.get_ref(), "a table");
            } else if *name != "call" {
                let message = format!("`{name}` takes no `args`");
                let help = "arguments are those of a tool: write `call` with its name".to_owned();
                self.error_with_help("P008", args.span(), message, help);
            }
        }
        let text = self.text_at(table, name)?.value;
        Some(match *name {
            "bash" => CallText::Bash(text),
            "read" => CallText::Bare(Verb::Read, text),
            "write" => CallText::Bare(Verb::Write, text),
            "exec" => CallText::Bare(Verb::Exec, text),
            "connect" => CallText::Bare(Verb::Connect, text),
            _ => {
                let args = table.get("args").map(|value| to_json(value.get_ref()));
                CallText::Tool(text, args.unwrap_or_else(|| Json::Object(serde_json::Map::new())))
            }
        })
    }

    fn test(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<TestText> {
        let table = self.sub_table(value, keys::TEST, "[[test]]")?;
        let name = self.text_at(table, "name");
        let call = match table.get("call") {
            Some(call) => {
                let inner = self.sub_table(call, keys::CALL, "a test's call")?;
                self.call(inner, call.span())
            }
            None => None,
        };
        let expect = self.word_at(table, "expect", &VERDICTS);
        if name.is_none() || call.is_none() || expect.is_none() {
            let message = "a test needs a `name`, a `call` and what to `expect`".to_owned();
            self.error("P002", table.span(), message);
        }
        Some(TestText {
            name: name?,
            call: call?,
            expect: expect?,
            files: table.get("files").map(|value| self.texts(value)).unwrap_or_default(),
            cwd: self.text_at(table, "cwd"),
        })
    }
}

/// A TOML value as the JSON that a runtime would send.
fn to_json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.as_ref().to_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Json::Null, Json::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Json::Null, Json::from),
        DeValue::Boolean(value) => Json::Bool(*value),
        DeValue::Datetime(value) => Json::String(value.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(entries) => entries
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref().to_owned(), to_json(value.get_ref())))
            .collect(),
    }
}
