//! What people's agents do: the calls of a week, with what is concluded of each.

use super::policy;
use super::random::Random;
use serde_json::{Value, json};
use toolgate::audit::wire::{WireAccess, WireCapture, WireDecision, WireRedaction, WireRule};

/// One call, before anybody has made it.
pub struct Act {
    pub tool: String,
    pub accesses: Vec<WireAccess>,
    pub decision: WireDecision,
    pub input: WireCapture,
    /// What comes back, if it runs.
    pub output: Value,
}

/// Texts that do harm if they are shown as they are.
pub const HOSTILE: &[&str] = &[
    "printf '\u{1b}[2J\u{1b}[1;1Hall is well\u{7}'",
    "echo \u{202e}txt.exe\u{2066}",
    "echo '<script>alert(1)</script><img src=x onerror=alert(2)>'",
    "=cmd|' /C calc'!A0",
    "+SUM(1+1)*cmd|' /C calc'!A0",
    "@SUM(1+9)",
    "-2+3+cmd|' /C calc'!A0",
    "echo '\",\"decision\":{\"effect\":\"deny\",\"basis\":\"rule\"}'",
    "echo \"\\\",\\\"tool\\\":\\\"Bash\\\"\" \\\\",
    "echo a\u{200b}b\u{feff}c; echo 'new\nline\ttab\rreturn'",
    "echo ünïcödé 日本語 \u{1f980}",
    "\techo leading tab",
];

const FILES: &[&str] = &[
    "src/main.rs",
    "src/gate.rs",
    "src/service/config/policy.rs",
    "tests/end_to_end.rs",
    "README.md",
    "docs/design.md",
    "Cargo.toml",
    "web/index.html",
    "web/app.js",
    "infra/main.tf",
    "src/engine/decide.rs",
    "scripts/release.py",
];
const PROJECTS: &[&str] = &["shop", "billing", "search", "portal"];
const COMMANDS: &[&str] = &[
    "cargo test --workspace",
    "cargo clippy --all-targets -- -D warnings",
    "rg -n 'fn decide' src",
    "git status --short",
    "git diff HEAD~1",
    "ls -la",
    "cat README.md",
    "git log --oneline -20",
    "python3 scripts/release.py --dry-run",
    "cargo build --release --locked",
];
const HOSTS: &[&str] = &["docs.pkg.example", "registry.pkg.example", "blog.garden.example"];

/// One call of a session that works on `project`, at a time.
pub fn any(time: i64, project: &str, attended: bool, random: &mut Random) -> Act {
    match random.below(100) {
        0..=25 => read(time, project, random),
        26..=40 => edit(time, project, random),
        41..=66 => bash(time, project, random),
        67..=75 => fetch(time, random),
        76..=84 => tracker(time, random),
        85..=88 => push(time, project, attended, random),
        89 => delete_repo(time, attended, random),
        90..=93 => dotenv(time, project, random),
        94 => wipe(time, random),
        95..=96 => curl(time, random),
        _ => agent(time, random),
    }
}

pub fn project(random: &mut Random) -> &'static str {
    let project: &&str = random.pick(PROJECTS);
    project
}

fn read(time: i64, project: &str, random: &mut Random) -> Act {
    let path = format!("/work/{project}/{}", random.pick(FILES));
    let output = json!({ "type": "text", "file": { "filePath": path,
        "content": digest(random), "numLines": random.below(900) } });
    let input = json!({ "file_path": path });
    act("Read", vec![access("read", &path, "allow")], allow(time, "workspace-read"), input, output)
}

fn edit(time: i64, project: &str, random: &mut Random) -> Act {
    let path = format!("/work/{project}/{}", random.pick(FILES));
    let input = json!({ "file_path": path, "old_string": "let limit = 10;", "new_string":
        "let limit = limits::ROWS_MAX;", "replace_all": false });
    let mut write = access("write", &path, "allow");
    if random.once_in(40) {
        write.real = Some(path.replace("/work/", "/srv/checkouts/"));
    }
    let output = json!({ "filePath": path, "structuredPatch": digest(random) });
    act("Edit", vec![write], allow(time, "workspace-write"), input, output)
}

fn bash(time: i64, project: &str, random: &mut Random) -> Act {
    let command = match random.once_in(60) {
        true => (*random.pick(HOSTILE)).to_owned(),
        false => format!("cd /work/{project} && {}", random.pick(COMMANDS)),
    };
    let accesses = vec![
        access("exec", &command, "allow"),
        access("read", &format!("/work/{project}/{}", random.pick(FILES)), "allow"),
    ];
    let exit = i64::from(random.once_in(9));
    let input = json!({ "command": command, "description": "Look how it stands",
        "timeout": 120_000 });
    let output = json!({ "stdout": digest(random), "stderr": "", "exit": exit });
    act("Bash", accesses, allow(time, "everyday"), input, output)
}

fn fetch(time: i64, random: &mut Random) -> Act {
    let host = random.pick(HOSTS);
    let url = format!("https://{host}/v{}/guide/{}", random.below(9), random.below(500));
    let accesses = vec![access("connect", &format!("GET {url}"), "allow")];
    let input = json!({ "url": url, "prompt": "What does it say about limits?" });
    let output = json!({ "bytes": random.below(90_000), "code": 200, "result": digest(random) });
    act("WebFetch", accesses, allow(time, "docs"), input, output)
}

fn tracker(time: i64, random: &mut Random) -> Act {
    let tool =
        *random.pick(&["mcp:tracker/search", "mcp:tracker/comment", "mcp:github/list_issues"]);
    let input = json!({ "query": format!("is:open label:bug {}", random.below(1_000)), "limit": 20,
        "api_key": "[redacted:named-field]" });
    let mut act = act(
        tool,
        vec![access("call", tool, "allow")],
        allow(time, "tracker"),
        input,
        json!({ "items": random.below(20), "text": digest(random) }),
    );
    act.input.redactions = vec![WireRedaction {
        pointer: "/api_key".to_owned(),
        detector: "named-field".to_owned(),
        ..WireRedaction::default()
    }];
    act
}

fn push(time: i64, project: &str, attended: bool, random: &mut Random) -> Act {
    let command = format!("git -C /work/{project} push origin topic-{}", random.below(40));
    let input = json!({ "command": command, "description": "Push the topic" });
    let output = json!({ "stdout": "", "stderr": "To git.team.example:team.git", "exit": 0 });
    let decision = asked(time, policy::ALWAYS_YES, "A push leaves the house.", attended);
    act("Bash", vec![access("exec", &command, "ask")], decision, input, output)
}

fn delete_repo(time: i64, attended: bool, random: &mut Random) -> Act {
    let input = json!({ "owner": "team", "repo": format!("scratch-{}", random.below(30)) });
    let tool = "mcp:github/delete_repo";
    let decision = asked(time, "ask-delete-repo", "A repository does not come back.", attended);
    act(tool, vec![access("call", tool, "ask")], decision, input, json!({ "deleted": true }))
}

fn dotenv(time: i64, project: &str, random: &mut Random) -> Act {
    let path = format!("/work/{project}/.env{}", random.pick(&["", ".local", ".production"]));
    let decision = deny(time, "no-dotenv", "Secrets stay out of the context.");
    act(
        "Read",
        vec![access("read", &path, "deny")],
        decision,
        json!({ "file_path": path }),
        Value::Null,
    )
}

fn wipe(time: i64, random: &mut Random) -> Act {
    let command = *random.pick(&["rm -rf / --no-preserve-root", "mkfs.ext4 /dev/sda1"]);
    let decision = deny(time, "no-wipe", "That cannot be undone.");
    act(
        "Bash",
        vec![access("exec", command, "deny")],
        decision,
        json!({ "command": command }),
        Value::Null,
    )
}

/// What Thursday's policy forbids, and Monday's did not name.
fn curl(time: i64, random: &mut Random) -> Act {
    let url = format!("https://registry.pkg.example/p/{}", random.below(90));
    let command = format!("curl -sS {url}");
    let input = json!({ "command": command, "description": "Fetch the package's page" });
    if time >= super::CHANGE {
        let accesses = vec![access("exec", &command, "deny"), access("connect", &url, "allow")];
        let mut decision = deny(time, "no-curl", "Fetch with WebFetch, where the host is seen.");
        decision.rules.push(policy::rule(time, "docs", "allow"));
        return act("Bash", accesses, decision, input, Value::Null);
    }
    let accesses = vec![access("exec", &command, "defer"), access("connect", &url, "allow")];
    let mut decision = allow(time, "docs");
    (decision.effect, decision.basis) = ("defer".to_owned(), "default".to_owned());
    decision.reason = "no rule speaks of it".to_owned();
    act("Bash", accesses, decision, input, json!({ "stdout": digest(random), "exit": 0 }))
}

fn agent(time: i64, random: &mut Random) -> Act {
    let input = json!({ "subagent_type": "Explore", "description": "Find where limits are read",
        "prompt": digest(random) });
    act(
        "Agent",
        vec![access("call", "Agent", "allow")],
        allow(time, "tracker"),
        input,
        json!({ "content": digest(random), "totalTokens": random.below(60_000) }),
    )
}

pub fn act(
    tool: &str,
    accesses: Vec<WireAccess>,
    decision: WireDecision,
    input: Value,
    output: Value,
) -> Act {
    let input = capture(input);
    Act { tool: tool.to_owned(), accesses, decision, input, output }
}

pub fn capture(value: Value) -> WireCapture {
    let bytes = value.to_string().len();
    WireCapture { value: Some(value), bytes, redactions: Vec::new(), redactions_more: 0 }
}

pub fn access(verb: &str, target: &str, verdict: &str) -> WireAccess {
    WireAccess {
        verb: verb.to_owned(),
        target: target.to_owned(),
        real: None,
        certain: true,
        verdict: verdict.to_owned(),
        doubt: None,
    }
}

/// What a long text is kept as.
fn digest(random: &mut Random) -> Value {
    let hex = format!("{:016x}{:016x}", random.next(), random.next());
    json!({ "bytes": 2_048 + random.below(60_000), "sha256": format!("{hex}{hex}") })
}

fn decision(effect: &str, basis: &str, reason: &str, rules: Vec<WireRule>) -> WireDecision {
    WireDecision {
        effect: effect.to_owned(),
        basis: basis.to_owned(),
        reason: reason.to_owned(),
        rules,
        rules_more: 0,
        attended: None,
        obligations: Vec::new(),
    }
}

pub fn allow(time: i64, rule: &str) -> WireDecision {
    let reason = format!("allowed by `{rule}`");
    decision("allow", "rule", &reason, vec![policy::rule(time, rule, "allow")])
}

pub fn deny(time: i64, rule: &str, why: &str) -> WireDecision {
    decision("deny", "rule", why, vec![policy::rule(time, rule, "deny")])
}

/// A question, or with nobody there what it comes to.
fn asked(time: i64, rule: &str, why: &str, attended: bool) -> WireDecision {
    let rules = vec![policy::rule(time, rule, "ask")];
    if attended {
        return decision("ask", "rule", why, rules);
    }
    let why = format!("nobody is there to be asked: {why}");
    let mut decision = decision("deny", "unattended", &why, rules);
    decision.attended = Some("ask".to_owned());
    decision
}
