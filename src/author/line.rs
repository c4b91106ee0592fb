//! A CALL: one JSON object that stands for a call, as `policy eval` takes them line by line and
//! `policy explain` on its command line. Unknown keys are errors.

use super::call::{Circumstances, agent};
use crate::model::access::Verb;
use crate::model::call::Phase;
use crate::model::json::{self, Json};
use crate::model::path::AbsPath;
use crate::model::principal::Runtime;
use crate::policy::document::CallText;
use std::str::FromStr;

/// One CALL, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What the answer is known by; null if the caller gave none.
    pub id: Json,
    /// The call.
    pub call: CallText,
    /// The session, if it names one: lines of one session share labels and counters.
    pub session: Option<String>,
    /// The working directory, if it names one.
    pub cwd: Option<AbsPath>,
    /// The runtime whose tools are meant.
    pub runtime: Runtime,
    /// `main`, or a subagent's kind.
    pub agent: Option<String>,
    /// The runtime's permission mode.
    pub permission_mode: Option<String>,
    /// Nobody is there to be asked, and the answer shall say so.
    pub unattended: bool,
    /// Before the call ran, or after.
    pub phase: Phase,
}

/// The forms of a call; a line has exactly one.
const FORMS: [&str; 8] =
    ["tool_name", "bash", "read", "write", "exec", "connect", "call", "output"];

/// What may stand beside it.
const OTHERS: [&str; 11] = [
    "id",
    "tool_input",
    "args",
    "cwd",
    "session",
    "runtime",
    "phase",
    "agent",
    "tool_response",
    "permission_mode",
    "unattended",
];

/// The id of a line that cannot be read otherwise, if it has one.
#[must_use]
pub fn id_of(line: &[u8]) -> Json {
    // Of two ids any will do: the answer is a refusal.
    let value: Option<Json> = serde_json::from_slice(line).ok();
    value.and_then(|value| value.get("id").cloned()).filter(is_id).unwrap_or(Json::Null)
}

fn is_id(id: &Json) -> bool {
    matches!(id, Json::Null | Json::String(_) | Json::Number(_))
}

impl Line {
    /// Reads a CALL.
    ///
    /// # Errors
    /// In words, if it is no such object, or holds anything that would be passed over.
    pub fn read(line: &[u8]) -> Result<Line, String> {
        let value = json::parse(line).map_err(|error| error.to_string())?;
        let object = value.as_object().ok_or("a call is one JSON object")?;
        let known = |key: &str| FORMS.contains(&key) || OTHERS.contains(&key);
        if let Some(key) = object.keys().find(|key| !known(key)) {
            let keys = [FORMS.as_slice(), OTHERS.as_slice()].concat().join(", ");
            return Err(format!("`{key}` is no key of a call; the keys are: {keys}"));
        }
        let keys = Keys { object };
        let id = object.get("id").cloned().unwrap_or(Json::Null);
        if !is_id(&id) {
            return Err("`id` must be a string or a number".to_owned());
        }
        let cwd = keys.text("cwd")?;
        let cwd = cwd.map(|cwd| AbsPath::parse(&cwd).map_err(|error| format!("`cwd`: {error}")));
        let runtime = keys.text("runtime")?;
        let runtime = runtime.map(|name| Runtime::from_str(&name).map_err(|e| e.to_string()));
        let unattended = match object.get("unattended") {
            None | Some(Json::Null) => false,
            Some(Json::Bool(unattended)) => *unattended,
            Some(_) => return Err("`unattended` must be true or false".to_owned()),
        };
        Ok(Line {
            id,
            call: keys.call()?,
            session: keys.text("session")?,
            cwd: cwd.transpose()?,
            runtime: runtime.transpose()?.unwrap_or(Runtime::Claude),
            agent: keys.text("agent")?,
            permission_mode: keys.text("permission_mode")?,
            unattended,
            phase: keys.phase()?,
        })
    }

    /// Who makes the call, where and when; from `workspace` if it names no directory.
    #[must_use]
    pub fn around(&self, workspace: &AbsPath) -> Circumstances {
        let cwd = self.cwd.clone().unwrap_or_else(|| workspace.clone());
        let plain = Circumstances::plain(cwd);
        Circumstances {
            runtime: self.runtime,
            session: self.session.clone().unwrap_or_default(),
            agent: self.agent.as_deref().map_or(plain.agent, agent),
            permission_mode: self.permission_mode.clone(),
            attended: !self.unattended,
            phase: self.phase.clone(),
            ..plain
        }
    }
}

/// The keys of a line.
struct Keys<'a> {
    object: &'a serde_json::Map<String, Json>,
}

impl Keys<'_> {
    fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.object.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{key}` must be a string")),
        }
    }

    /// Exactly one form, with what belongs to it.
    fn call(&self) -> Result<CallText, String> {
        let mut found = FORMS.iter().filter(|form| self.object.contains_key(**form));
        let (Some(form), None) = (found.next(), found.next()) else {
            return Err(format!("a call is exactly one of {}", FORMS.join(", ")));
        };
        for (key, of) in [("tool_input", "tool_name"), ("args", "call")] {
            if self.object.contains_key(key) && *form != of {
                return Err(format!("`{key}` stands only with `{of}`"));
            }
        }
        let text = self.text(form)?.ok_or_else(|| format!("`{form}` must be a string"))?;
        Ok(match *form {
            "bash" => CallText::Bash(text),
            "read" => CallText::Bare(Verb::Read, text),
            "write" => CallText::Bare(Verb::Write, text),
            "exec" => CallText::Bare(Verb::Exec, text),
            "connect" => CallText::Bare(Verb::Connect, text),
            "output" => CallText::Output(text),
            "call" => CallText::Tool(text, self.arguments("args")?),
            _ => CallText::Tool(text, self.arguments("tool_input")?),
        })
    }

    fn arguments(&self, key: &str) -> Result<Json, String> {
        match self.object.get(key) {
            None => Ok(Json::Object(serde_json::Map::new())),
            Some(Json::Object(arguments)) => Ok(Json::Object(arguments.clone())),
            Some(_) => Err(format!("`{key}` must be an object")),
        }
    }

    /// After the call, `tool_response` is what came back. A text `Exit code N`, as the runtime has
    /// it of a call that failed, says that this one did.
    fn phase(&self) -> Result<Phase, String> {
        let output = self.object.get("tool_response");
        match (self.text("phase")?.as_deref(), output) {
            (None | Some("pre"), None) => Ok(Phase::Pre),
            (None | Some("pre"), Some(_)) => {
                Err("`tool_response` stands only with `\"phase\": \"post\"`".to_owned())
            }
            (Some("post"), output) => Ok(Phase::Post {
                output: output.cloned().unwrap_or(Json::Null),
                duration_ms: None,
                failed: output.and_then(Json::as_str).is_some_and(tells_failure),
            }),
            (Some(_), _) => Err("`phase` must be `pre` or `post`".to_owned()),
        }
    }
}

fn tells_failure(output: &str) -> bool {
    let Some(rest) = output.trim_start().strip_prefix("Exit code ") else { return false };
    let status: String = rest.chars().take_while(char::is_ascii_digit).collect();
    !status.is_empty() && status.chars().any(|digit| digit != '0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_call() {
        for text in [
            r#"{"bash": "ls"}"#,
            r#"{"id": 7, "tool_name": "Bash", "tool_input": {"command": "ls"}, "cwd": "/w"}"#,
            r#"{"id": "a", "call": "mcp:a/b", "args": {"x": 1}, "session": "s", "agent": "main"}"#,
            r#"{"read": "/x", "runtime": "codex", "permission_mode": "plan", "unattended": true}"#,
            r#"{"bash": "ls", "phase": "post", "tool_response": {"stdout": ""}}"#,
            r#"{"bash": "ls", "phase": "post"}"#,
            r#"{"output": "text"}"#,
            r#"{"connect": "https://a.example", "id": null, "cwd": null}"#,
        ] {
            assert!(Line::read(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_none_and_why() {
        for (text, why) in [
            ("", "cannot be read"),
            ("null", "one JSON object"),
            ("[]", "one JSON object"),
            ("{}", "exactly one of"),
            (r#"{"bash": "ls", "read": "/x"}"#, "exactly one of"),
            (r#"{"bash": "ls", "bash": "ls"}"#, "stands twice"),
            (r#"{"bash": "ls"} x"#, "trailing"),
            (r#"{"bash": 1}"#, "`bash` must be a string"),
            (r#"{"bash": null}"#, "`bash` must be a string"),
            (r#"{"bash": "ls", "x": 1}"#, "`x` is no key"),
            (r#"{"bash": "ls", "note": "n"}"#, "`note` is no key"),
            (r#"{"bash": "ls", "after": ["secret"]}"#, "`after` is no key"),
            (r#"{"bash": "ls", "args": {}}"#, "`args` stands only with `call`"),
            (r#"{"call": "X", "tool_input": {}}"#, "`tool_input` stands only with `tool_name`"),
            (r#"{"call": "X", "args": []}"#, "`args` must be an object"),
            (r#"{"tool_name": "X", "tool_input": "x"}"#, "`tool_input` must be an object"),
            (r#"{"bash": "ls", "cwd": "w"}"#, "`cwd`"),
            (r#"{"bash": "ls", "runtime": "other"}"#, "`other`"),
            (r#"{"bash": "ls", "phase": "during"}"#, "`phase` must be"),
            (r#"{"bash": "ls", "tool_response": "x"}"#, "`tool_response` stands only"),
            (r#"{"bash": "ls", "unattended": "yes"}"#, "`unattended` must be"),
            (r#"{"bash": "ls", "session": 1}"#, "`session` must be"),
            (r#"{"bash": "ls", "id": {}}"#, "`id` must be"),
        ] {
            let error = Line::read(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Line::read(b"{\"bash\": \"\xff\"}").is_err());
    }

    #[test]
    fn a_refused_line_keeps_its_id() {
        for (text, id) in [
            (r#"{"id": "7", "x": 1}"#, Json::from("7")),
            (r#"{"id": 7, "id": 8, "bash": "x"}"#, Json::from(8)),
            (r#"{"id": {}, "bash": "x"}"#, Json::Null),
            ("{", Json::Null),
        ] {
            assert_eq!(id_of(text.as_bytes()), id, "{text}");
        }
    }

    #[test]
    fn a_call_that_failed_says_so_as_the_runtime_does() {
        let failed = |output: &str| {
            let line = serde_json::json!({"bash": "x", "phase": "post", "tool_response": output});
            match Line::read(line.to_string().as_bytes()).unwrap().phase {
                Phase::Post { failed, .. } => failed,
                Phase::Pre => panic!("{output}"),
            }
        };
        for (output, expected) in [
            ("Exit code 1\nno", true),
            (" Exit code 127", true),
            ("Exit code 0", false),
            ("Exit code", false),
            ("fine", false),
        ] {
            assert_eq!(failed(output), expected, "{output}");
        }
    }
}
