//! toolgate as it is measured. All that the benchmarks know of its API stands in this file.
//!
//! The rules are written as a person would: the grid, and the long form for what has conditions.
//! The world is the frozen one, so that no file is looked at and every run sees the same.

use super::{Failure, Names, Request, Rule, Verb};
use std::sync::Arc;
use toolgate::author::check::check;
use toolgate::engine::oracle::oracle;
use toolgate::engine::{decide, rule};
use toolgate::facts::{Place, gather};
use toolgate::model::access::{Access, Verb as Does};
use toolgate::model::call::{CallId, ToolCall};
use toolgate::model::effect::Verdict;
use toolgate::model::facts::Facts;
use toolgate::model::principal::Runtime;
use toolgate::plane::hook::door::Peer;
use toolgate::plane::hook::runtime::{Event, read};
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Policy, Source};
use toolgate::redact::Redactor;
use toolgate::world::Frozen;

/// A policy in force, and what it is asked with.
pub struct Ours {
    policy: Policy,
    redactor: Arc<Redactor>,
    anchors: Anchors,
    world: Frozen,
}

/// The secret detectors, which are the program's and not the policy's.
///
/// # Errors
/// If one is wrong.
pub fn redactor() -> Result<Arc<Redactor>, Failure> {
    Ok(Arc::new(Redactor::shipped()?))
}

/// A policy of these rules, as text.
pub fn policy(rules: &[Rule]) -> String {
    let grid = |verb: Verb, denies: bool| {
        let plain =
            |rule: &&Rule| !rule.conditional && rule.verb() == verb && rule.denies() == denies;
        let entry = |rule: &Rule| format!("  {:?},\n", pattern(&rule.names));
        rules.iter().filter(plain).map(entry).collect::<String>()
    };
    // Whole calls need their tools allowed; without rules there shall be none at all.
    let tools = if rules.is_empty() { "" } else { "  \"$transparent\",\n" };
    let mut text = format!(
        "schema = 1\n[policy]\nname = \"bench\"\nversion = \"1\"\ndefault = \"deny\"\n\
         [read]\nallow = [\n{}]\ndeny = [\n{}]\n[exec]\nallow = [\n{}]\n\
         [connect]\nallow = [\n{}]\n[call]\nallow = [\n{tools}{}]\n",
        grid(Verb::Read, false),
        grid(Verb::Read, true),
        grid(Verb::Exec, false),
        grid(Verb::Connect, false),
        grid(Verb::Call, false),
    );
    for (nth, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.conditional) {
        let (says, label) = if rule.denies() { ("deny", "seen") } else { ("allow", "not_seen") };
        text.push_str(&format!(
            "[[rule]]\nid = \"rule-{nth}\"\n{says} = \"{}\"\nmatch = [{:?}]\n\
             when = {{ \"args.mode\" = \"fast\", {label} = \"secret\" }}\n",
            verb(rule.verb()).as_str(),
            pattern(&rule.names),
        ));
    }
    text
}

fn pattern(names: &Names) -> String {
    match names {
        Names::Tool(name) => name.clone(),
        Names::Below(directory) => directory.clone(),
        Names::Extension(extension) => format!("**/*.{extension}"),
        Names::Environment(name) => format!("/srv/*/{name}/*.env"),
        Names::Host(name) => format!("*.{name}"),
        Names::Command(program, word) => format!("{program} {word} ..."),
    }
}

fn verb(verb: Verb) -> Does {
    match verb {
        Verb::Call => Does::Call,
        Verb::Read => Does::Read,
        Verb::Connect => Does::Connect,
        Verb::Exec => Does::Exec,
    }
}

/// What Claude Code would send before it does what `request` says.
pub fn event(request: &Request) -> Vec<u8> {
    let target = &request.target;
    let (tool, argument, value) = match request.verb {
        Verb::Call => {
            let name = target.replacen("mcp:", "mcp__", 1).replacen('/', "__", 1);
            (name, "query", "the newest ten".to_owned())
        }
        Verb::Read => ("Read".to_owned(), "file_path", target.clone()),
        Verb::Connect => ("WebFetch".to_owned(), "url", format!("https://{target}/v1/list")),
        Verb::Exec => ("Bash".to_owned(), "command", target.clone()),
    };
    let mode = request.mode;
    format!(
        r#"{{"session_id":"6f1c1a52-2f0e-4c7b-9d55-0a4c8f1f3b6e","transcript_path":"/work/t.jsonl","cwd":"/work","permission_mode":"default","hook_event_name":"PreToolUse","tool_name":"{tool}","tool_input":{{"{argument}":"{value}","mode":"{mode}"}},"tool_use_id":"toolu_01A2b3C4d5E6f7G8h9"}}"#
    )
    .into_bytes()
}

/// The call that an event's bytes state.
///
/// # Errors
/// If they state none.
pub fn call(event: &[u8]) -> Result<ToolCall, Failure> {
    match read(Runtime::Claude, event, Peer::user(1_000), CallId(String::new()))? {
        Event::Call(call) => Ok(*call),
        _ => Err("the event is no call".into()),
    }
}

impl Ours {
    /// Loads a policy as `serve` does: compiled, its examples run, bound to its places.
    ///
    /// # Errors
    /// With its mistakes.
    pub fn load(text: &str, redactor: &Arc<Redactor>) -> Result<Ours, Failure> {
        let source = Source { name: "bench.toml".to_owned(), text: text.to_owned(), layer: None };
        let anchors = Anchors::frozen(None);
        let checked = check(&[source], &anchors, &Protected::default(), redactor);
        let Some(policy) = checked.policy else {
            let first = checked.diagnostics.first();
            return Err(format!("the policy does not load: {first:?}").into());
        };
        Ok(Ours { policy, redactor: Arc::clone(redactor), anchors, world: Frozen::default() })
    }

    /// All that the call would do, in a session that has seen a secret or has not.
    pub fn facts(&self, call: ToolCall, secret: bool) -> Facts {
        let place = Place {
            world: &self.world,
            workspace: &self.anchors.workspace,
            tmp: &self.anchors.tmp,
        };
        let mut facts = gather(call, &self.policy.tools, &place);
        facts.session.labels.extend(secret.then(|| "secret".to_owned()));
        facts.session.bits = self.policy.labels.bits_of(&facts.session.labels);
        facts
    }

    /// Only the one thing that the other engines are asked of: a tool's call by itself, or what
    /// the call does without the call.
    pub fn one_access(&self, request: &Request) -> Result<Facts, Failure> {
        let mut facts = self.facts(call(&event(request))?, request.secret);
        let asked = verb(request.verb);
        facts.accesses.retain(|access: &Access| access.target.verb() == asked);
        Ok(facts)
    }

    /// Whether these facts are allowed, by the index: the verdict alone, as the other engines give
    /// it.
    pub fn decide(&self, facts: &Facts) -> bool {
        rule(&self.policy, facts).verdict == Verdict::Allow
    }

    /// The same with all that the log and the agent are told: rules, accesses, reason.
    pub fn tell(&self, facts: &Facts) -> bool {
        decide(&self.policy, facts, &self.redactor).verdict == Verdict::Allow
    }

    /// The same by the naive evaluator, a loop over all rules.
    pub fn scan(&self, facts: &Facts) -> bool {
        oracle(&self.policy, facts).verdict == Verdict::Allow
    }

    /// From the event's bytes to the decision, as the sidecar makes it: read, gathered, decided,
    /// told.
    ///
    /// # Errors
    /// If they state no call.
    pub fn decide_event(&self, event: &[u8], secret: bool) -> Result<bool, Failure> {
        Ok(self.tell(&self.facts(call(event)?, secret)))
    }
}
