//! A call in the short form of examples, tests and `policy eval`, as the facts it stands for.

use crate::facts::{Place, commands, gather, paths};
use crate::model::access::{Access, Target, Verb};
use crate::model::call::{CallId, Phase, ToolCall, ToolName};
use crate::model::doubt::Doubt;
use crate::model::facts::Facts;
use crate::model::json::Json;
use crate::model::path::AbsPath;
use crate::model::principal::{Agent, Principal, Runtime, Sender};
use crate::model::url::{Destination, Network};
use crate::policy::document::CallText;
use crate::policy::rule::ToolRow;

/// What a call in short form would do.
#[must_use]
pub fn facts_of(text: &CallText, cwd: &AbsPath, taught: &[ToolRow], place: &Place<'_>) -> Facts {
    let tool =
        |name: &str, input: Json| gather(call(ToolName::parse(name), input, cwd), taught, place);
    match text {
        CallText::Bash(command) => tool("Bash", serde_json::json!({ "command": command })),
        CallText::Tool(name, input) => tool(name, input.clone()),
        CallText::Bare(verb, target) => Facts {
            call: call(ToolName::parse(verb.as_str()), Json::Null, cwd),
            accesses: bare(*verb, target, cwd, place),
        },
    }
}

/// A call as somebody who can be asked would make it.
fn call(tool: ToolName, input: Json, cwd: &AbsPath) -> ToolCall {
    ToolCall {
        id: CallId(String::new()),
        principal: Principal {
            runtime: Runtime::Claude,
            session: String::new(),
            agent: Agent::Main,
            uid: None,
            sender: Sender::Unproven,
        },
        tool,
        input,
        phase: Phase::Pre,
        tool_use_id: None,
        cwd: Some(cwd.clone()),
        permission_mode: None,
        attended: true,
    }
}

/// One bare access; for a command, all that the command does, without the `call`.
fn bare(verb: Verb, text: &str, cwd: &AbsPath, place: &Place<'_>) -> Vec<Access> {
    let path = || {
        let text = match (text.strip_prefix("~/"), place.world.home()) {
            (Some(rest), Some(home)) => format!("{home}/{rest}"),
            (Some(_) | None, _) => text.to_owned(),
        };
        paths::target(&text, Some(cwd), place)
    };
    let one = |target: Result<Target, Doubt>| {
        vec![target.map_or_else(|doubt| Access::unknown(verb, doubt), Access::certain)]
    };
    match verb {
        Verb::Read => one(path().map(Target::Read)),
        Verb::Write => one(path().map(Target::Write)),
        Verb::Connect => one(destination(text)),
        Verb::Call => one(Ok(Target::Call(ToolName::parse(text)))),
        Verb::Exec => {
            let mut accesses = Vec::new();
            commands::read(text, Some(cwd), place, &mut accesses);
            accesses
        }
    }
}

/// `[METHOD ]URL`; without a method it is one of which none is known.
fn destination(text: &str) -> Result<Target, Doubt> {
    let (method, url) = match text.split_once(' ') {
        Some((method, url)) => (Some(method.to_owned()), url),
        None => (None, text),
    };
    let mut network = Network::parse_url(url).map_err(|error| Doubt::Other(error.to_string()))?;
    network.method = method;
    Ok(Target::Connect(Destination::Network(network)))
}
