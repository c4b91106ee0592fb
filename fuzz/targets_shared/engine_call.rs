//! Calls made of the same few names, and of all that is ever not known of a call.

use super::choice::Choices;
use std::collections::BTreeSet;
use toolgate::model::access::{
    Access, Arg, Certainty, Command, OptionClass, Program, Role, Status, Target, Verb,
};
use toolgate::model::call::{CallId, Phase, ToolCall, ToolName};
use toolgate::model::doubt::Doubt;
use toolgate::model::facts::Facts;
use toolgate::model::host::Host;
use toolgate::model::json::Json;
use toolgate::model::path::{AbsPath, Extent, PathTarget, Real};
use toolgate::model::principal::{Agent, Principal, Runtime, Sender};
use toolgate::model::time::Moment;
use toolgate::model::url::{Destination, Network};
use toolgate::model::word::{Unknown, Word};
use toolgate::policy::Policy;

/// A call in some session, before any policy is asked.
#[derive(Debug, Clone)]
pub struct Call {
    /// The call and all it would do; its session is empty.
    pub facts: Facts,
    /// What the session is marked with.
    pub labels: BTreeSet<String>,
    /// How much of the limits is used: not the same of each.
    used: usize,
}

const NAMES: &[&str] =
    &["a", "b", ".env", "A", ".ENV", ".env.x", "x.rs", "a.b", "conf", "é", "a.", "x.RS ", "CONF"];
const PATTERNS: &[&str] = &["*", ".e*", ".en?", "*/*.rs", "[a-k]*", "**", "a", "*.Rs"];
const ROOTS: &[&str] = &["/work", "", "/home/agent", "/tmp", "/usr/bin"];
/// 2027-01-01.
const NOW: Moment = Moment(1_798_761_600_000_000);

impl Call {
    /// Some call.
    pub fn of(choices: &mut Choices<'_>) -> Call {
        let most = if choices.once_in(3) { 5 } else { 1 };
        let mut accesses = choices.some(1, most, access);
        if choices.once_in(40) {
            accesses.clear();
        }
        let mut facts = Facts::of(call(choices), accesses);
        facts.described = !choices.once_in(3);
        let labels = ["t1", "p1", "t2", "approved:T1", "approved:*", "other"];
        let labels = choices.some(0, 3, |choices| choices.one(&labels).to_owned());
        Call { facts, labels: labels.into_iter().collect(), used: choices.below(7) }
    }

    /// The facts, with the session as this policy sees it.
    pub fn facts(&self, policy: &Policy) -> Facts {
        let mut facts = self.facts.clone();
        facts.session.now = NOW;
        facts.session.bits = policy.labels.bits_of(&self.labels);
        facts.session.labels.clone_from(&self.labels);
        let used = |rule: &str| {
            let sum: usize = rule.bytes().map(usize::from).sum();
            u32::try_from((sum + self.used) % 5).map_or(0.0, f64::from)
        };
        let mut all: Vec<f64> = policy.limits.iter().map(|limit| used(&limit.rule)).collect();
        if self.used == 6 {
            // What is missing counts as used up.
            all.clear();
        }
        facts.session.used = all;
        facts.session.spent.calls = u64::try_from(self.used).unwrap();
        facts
    }
}

fn call(choices: &mut Choices<'_>) -> ToolCall {
    let inputs = [
        r#"{"mode":"fast","n":2,"flag":true,"ticket":"T1"}"#,
        r#"{}"#,
        r#"{"mode":"slow","n":5,"flag":false,"gone":1,"ticket":"T2"}"#,
        r#"{"mode":7,"n":"x","ticket":""}"#,
        r#"{"n":-1}"#,
    ];
    let agent = match choices.below(3) {
        0 => Agent::Main,
        1 => Agent::Sub { id: "1".to_owned(), kind: "other".to_owned() },
        _ => Agent::Sub { id: "2".to_owned(), kind: String::new() },
    };
    ToolCall {
        transcript: None,
        id: CallId("c".to_owned()),
        principal: Principal {
            runtime: Runtime::Claude,
            session: "s".to_owned(),
            agent,
            uid: None,
            sender: Sender::Proven,
        },
        tool: ToolName::parse("Read"),
        input: serde_json::from_str::<Json>(choices.one(&inputs)).unwrap(),
        phase: Phase::Pre,
        tool_use_id: None,
        cwd: None,
        permission_mode: choices.one(&[None, Some("default"), Some("other")]).map(str::to_owned),
        attended: !choices.once_in(4),
    }
}

fn access(choices: &mut Choices<'_>) -> Access {
    let target = match choices.below(12) {
        0..=1 => Target::Read(path(choices)),
        2..=3 => Target::Write(path(choices)),
        4..=6 => Target::Exec(command(choices)),
        7..=8 => Target::Connect(destination(choices)),
        9..=10 => Target::Call(tool(choices)),
        _ => {
            let verb = choices.one(&Verb::ALL);
            // A bound that was met is the one doubt that decides by itself.
            let reason = if choices.once_in(16) { Doubt::Limit("this test") } else { doubt() };
            Target::Unknown { verb, reason }
        }
    };
    let certainty = match choices.below(8) {
        6 => Certainty::Possible(doubt()),
        7 => Certainty::Suspected(doubt()),
        _ => Certainty::Certain,
    };
    Access { target, certainty, within: None }
}

fn doubt() -> Doubt {
    Doubt::Other("as this test wants it".to_owned())
}

fn tool(choices: &mut Choices<'_>) -> ToolName {
    let names = [
        "Read",
        "Bash",
        "mcp:a/get_x",
        "mcp:a/get_y",
        "mcp:a/list_x",
        "mcp:ab/get_x",
        "mcp:b/get_x",
        "Nobody",
        "é",
        "mcp:a/get_",
        "Agent",
    ];
    ToolName::parse(choices.one(&names))
}

fn place(choices: &mut Choices<'_>) -> AbsPath {
    let root = choices.one(ROOTS);
    // Now and then deeper than what is looked up without allocating.
    let most = if choices.once_in(40) { 24 } else { 4 };
    let names = choices.some(0, most, |choices| choices.one(NAMES));
    AbsPath::parse(&format!("{root}/{}", names.join("/"))).unwrap()
}

/// Some path, most often what it says it is.
pub fn path(choices: &mut Choices<'_>) -> PathTarget {
    let written = place(choices);
    let mut target = PathTarget::plain(written.clone());
    if !choices.once_in(3) {
        return target;
    }
    target.real = match choices.below(4) {
        0 => Real::At(place(choices)),
        1 => Real::Unknown(doubt()),
        _ => Real::At(written.clone()),
    };
    if choices.once_in(3) {
        target.hops = choices.some(1, 2, place);
    }
    target.extent = match choices.below(5) {
        2 => {
            let below = |choices: &mut Choices<'_>| {
                let names = choices.some(1, 3, |choices| choices.one(NAMES));
                written.join(&names.join("/")).unwrap()
            };
            let paths = choices.some(0, 4, below);
            if choices.once_in(2) { Extent::Below(paths) } else { Extent::Seen(paths) }
        }
        3 => Extent::BelowUnknown(doubt()),
        4 => Extent::Fitting(choices.one(PATTERNS).to_owned()),
        _ => Extent::Itself,
    };
    target
}

fn word(choices: &mut Choices<'_>, texts: &[&str]) -> Word {
    match choices.below(10) {
        7..=8 => Word::one_of(choices.some(2, 3, |choices| choices.one(texts).to_owned())),
        9 => Word::Unknown(Unknown {
            reason: doubt(),
            prefix: choices.one(&["", "p", "g", "-", "/", "push"]).to_owned(),
            single: choices.once_in(2),
        }),
        _ => Word::known(choices.one(texts)),
    }
}

fn command(choices: &mut Choices<'_>) -> Command {
    let word = match choices.once_in(4) {
        true => Word::known(choices.one(&["/usr/bin/git", "/tmp/git", "/work/x", "/opt/tool"])),
        false => word(choices, &["git", "git", "tool", "sh", "gif"]),
    };
    let at = word.as_known().and_then(|text| AbsPath::parse(text).ok());
    let file = at.map(|at| match choices.below(4) {
        2 => PathTarget { real: Real::At(place(choices)), ..PathTarget::plain(at) },
        3 => PathTarget { written: at, ..path(choices) },
        _ => PathTarget::plain(at),
    });
    Command {
        program: Program { word, file, known: !choices.once_in(3) },
        args: choices.some(0, 4, arg),
        fed_by: choices.some(0, 1, |choices| choices.below(5)),
        doubts: if choices.once_in(6) { vec![doubt()] } else { vec![] },
        transparent: choices.once_in(8),
        status: choices.one(&[Status::Whole, Status::Chained, Status::Hidden]),
    }
}

fn arg(choices: &mut Choices<'_>) -> Arg {
    let texts = ["push", "push", "pull", "a", "k=v", "k=w", "of=/work/a", "/work/a", "-f"];
    let word = word(choices, &texts);
    let path = match choices.once_in(4) {
        true => Some(path(choices)),
        false => word.as_known().and_then(|text| AbsPath::parse(text).ok()).map(PathTarget::plain),
    };
    let role = match choices.below(7) {
        4 | 5 => {
            let spellings: &[&[&str]] = &[&["-f", "--force"], &["-x"], &["--all"], &["k="]];
            let spellings = choices.one(spellings).iter().map(|text| (*text).to_owned()).collect();
            let value = choices.once_in(3).then(|| self::word(choices, &["v", "/work/a", "push"]));
            let class = choices.one(&[
                OptionClass::Plain,
                OptionClass::Harmless,
                OptionClass::Unknown,
                OptionClass::Hazardous,
            ]);
            Role::Option { spellings, value, class }
        }
        6 => Role::EndOfOptions,
        _ => Role::Operand,
    };
    Arg { word, role, path }
}

fn destination(choices: &mut Choices<'_>) -> Destination {
    if choices.once_in(6) {
        let at = |text: &str| PathTarget::plain(AbsPath::parse(text).unwrap());
        let socket = choices.one(&["/work/s", "/work/S", "/run/s", "/work/a/s"]);
        return Destination::Unix(if choices.once_in(2) { path(choices) } else { at(socket) });
    }
    let hosts = [
        "a.example",
        "b.a.example",
        "c.b.a.example",
        "evila.example",
        "example",
        "localhost",
        "metadata.google.internal",
        "10.0.0.1",
        "10.1.2.3",
        "127.0.0.1",
        "169.254.169.254",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::1]",
        "[::1]",
        "[fd00::1]",
    ];
    let addresses = ["10.0.0.1", "::ffff:10.0.0.1", "192.0.2.1", "::1", "64:ff9b::a00:1"];
    let own = |text: Option<&str>| text.map(str::to_owned);
    Destination::Network(Network {
        scheme: own(choices.one(&[Some("https"), Some("http"), None, Some("wss"), Some("ftp")])),
        host: Host::parse(choices.one(&hosts)).unwrap(),
        port: choices.one(&[Some(443), Some(80), None, Some(8443)]),
        method: own(choices.one(&[None, Some("GET"), Some("POST")])),
        path: own(choices.one(&[
            None,
            Some("/"),
            Some("/docs/x"),
            Some("/admin/"),
            Some("/adm%69n"),
            Some("/docs/../x"),
            Some("/x?q"),
        ])),
        addresses: match choices.once_in(3) {
            true => choices.some(1, 2, |choices| choices.one(&addresses).parse().unwrap()),
            false => vec![],
        },
    })
}
