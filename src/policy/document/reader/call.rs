//! Reading the calls of examples and tests, and what they say of the world around them.

use super::super::{At, CallText, Claim, Example, Expect, Setting, TestText};
use super::PHASES;
use crate::model::access::Verb;
use crate::model::effect::Verdict;
use crate::model::json::Json;
use crate::policy::keys;
use crate::policy::read::{Reader, Table};
use toml::Spanned;
use toml::de::DeValue;

const VERDICTS: [(&str, Verdict); 4] = [
    ("allow", Verdict::Allow),
    ("ask", Verdict::Ask),
    ("deny", Verdict::Deny),
    ("defer", Verdict::Defer),
];

impl<'a> Reader<'a> {
    pub(super) fn example(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<At<Example>> {
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
        let setting = self.setting(table);
        Some(At { value: Example { call, expect, setting }, span: value.span() })
    }

    /// The call of an example or test: exactly one of the short forms.
    fn call(&mut self, table: Table<'a>, span: std::ops::Range<usize>) -> Option<CallText> {
        let names = ["bash", "read", "write", "exec", "connect", "call", "output"];
        let mut found = names.iter().filter(|name| table.get(name).is_some());
        let (Some(name), None) = (found.next(), found.next()) else {
            let message = "a call is exactly one of bash, read, write, exec, connect, call, output";
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
            "output" => CallText::Output(text),
            _ => {
                let args = table.get("args").map(|value| to_json(value.get_ref()));
                CallText::Tool(text, args.unwrap_or_else(|| Json::Object(serde_json::Map::new())))
            }
        })
    }

    /// What stands beside a call.
    fn setting(&mut self, table: Table<'a>) -> Setting {
        Setting {
            files: table.get("files").map(|value| self.texts(value)).unwrap_or_default(),
            cwd: self.text_at(table, "cwd"),
            after: table.get("after").map(|value| self.texts(value)).unwrap_or_default(),
            agent: self.text_at(table, "agent"),
            permission_mode: self.text_at(table, "permission_mode"),
            exit: table.get("exit").and_then(|value| self.integer(value)),
        }
    }

    pub(super) fn test(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<TestText> {
        let table = self.sub_table(value, keys::TEST, "[[test]]")?;
        let name = self.text_at(table, "name");
        let claim = self.claim(table);
        let expect = self.word_at(table, "expect", &VERDICTS);
        for (key, help) in [
            ("name", "say what is claimed, as `name = \"secrets stay closed\"`"),
            ("expect", "write `expect = \"deny\"`, or allow, ask or defer"),
        ] {
            if !table.says(key, "[[test]]") {
                let message = format!("the test has no `{key}`");
                self.error_with_help("P002", table.span(), message, help.to_owned());
            }
        }
        Some(TestText { name: name?, claim: claim?, expect: expect?, setting: self.setting(table) })
    }

    /// A test speaks of one call, or of every target of a verb.
    fn claim(&mut self, table: Table<'a>) -> Option<Claim> {
        match (table.get("call"), table.get("every")) {
            (Some(call), None) => {
                if let Some(unless) = table.get("unless") {
                    let message = "`unless` stands only with `every`".to_owned();
                    let help = "a test of one call has no exceptions: remove it".to_owned();
                    self.error_with_help("P008", unless.span(), message, help);
                }
                let inner = self.sub_table(call, keys::CALL, "a test's call")?;
                self.call(inner, call.span()).map(Claim::Call)
            }
            (None, Some(every)) => {
                let text = self.text(every)?;
                let verb = self.choice(&text, &PHASES)?;
                Some(Claim::Every(verb, self.patterns(table, "unless")))
            }
            _ => {
                let message = "a test speaks of one `call`, or of `every` target of a verb";
                self.error("P008", table.span(), message.to_owned());
                None
            }
        }
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
