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

/// Who makes a call, where, and when: what stands beside its short form.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The runtime whose tools are meant.
    pub runtime: Runtime,
    /// The runtime's session.
    pub session: String,
    /// The agent.
    pub agent: Agent,
    /// The working directory.
    pub cwd: AbsPath,
    /// The runtime's permission mode.
    pub permission_mode: Option<String>,
    /// Whether somebody is there to be asked.
    pub attended: bool,
    /// Before the call ran, or after.
    pub phase: Phase,
}

impl Circumstances {
    /// A call of the main thread, before it runs, by somebody who can be asked.
    #[must_use]
    pub fn plain(cwd: AbsPath) -> Circumstances {
        Circumstances {
            runtime: Runtime::Claude,
            session: String::new(),
            agent: Agent::Main,
            cwd,
            permission_mode: None,
            attended: true,
            phase: Phase::Pre,
        }
    }
}

/// `main`, or a subagent of that kind.
#[must_use]
pub fn agent(text: &str) -> Agent {
    match text {
        "main" => Agent::Main,
        kind => Agent::Sub { id: kind.to_owned(), kind: kind.to_owned() },
    }
}

/// What a call in short form would do.
#[must_use]
pub fn facts_of(
    text: &CallText,
    around: &Circumstances,
    taught: &[ToolRow],
    place: &Place<'_>,
) -> Facts {
    let tool =
        |name: &str, input: Json| gather(call(ToolName::parse(name), input, around), taught, place);
    match text {
        CallText::Bash(command) => tool("Bash", serde_json::json!({ "command": command })),
        CallText::Tool(name, input) => tool(name, input.clone()),
        CallText::Output(output) => {
            let phase =
                Phase::Post { output: output.clone().into(), duration_ms: None, failed: false };
            let around = Circumstances { phase, ..around.clone() };
            // The output of some tool: nothing is asked of which.
            let call = call(ToolName::parse("Read"), Json::Object(Default::default()), &around);
            Facts::of(call, Vec::new())
        }
        CallText::Bare(verb, target) => {
            let call = call(ToolName::parse(verb.as_str()), Json::Null, around);
            Facts::of(call, bare(*verb, target, &around.cwd, place))
        }
    }
}

fn call(tool: ToolName, input: Json, around: &Circumstances) -> ToolCall {
    ToolCall {
        id: CallId(String::new()),
        principal: Principal {
            runtime: around.runtime,
            session: around.session.clone(),
            agent: around.agent.clone(),
            uid: None,
            // Whoever asks here is the policy's own author.
            sender: Sender::Proven,
        },
        tool,
        input,
        phase: around.phase.clone(),
        tool_use_id: None,
        cwd: Some(around.cwd.clone()),
        permission_mode: around.permission_mode.clone(),
        transcript: None,
        attended: around.attended,
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
            paths::settle(&mut accesses);
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
