//! The shipped policies: each loads and holds its own tests, they come out together as the language
//! says, and `observe` tells exactly what `strict` would hold back.
#![cfg(test)]

#[path = "harness/cases.rs"]
mod cases;

use cases::{Cases, Group, loads, source, tests, with_tests};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use toolgate::author::call::{Circumstances, facts_of};
use toolgate::author::check::Checked;
use toolgate::engine::decide;
use toolgate::facts::Place;
use toolgate::model::decision::{Decision, Obligation};
use toolgate::model::effect::{Effect, Verdict};
use toolgate::model::path::AbsPath;
use toolgate::model::session::Transcript;
use toolgate::policy::Diagnostic;
use toolgate::policy::document::{CallText, Claim, Expect, read};
use toolgate::policy::pattern::Anchors;
use toolgate::policy::rule::{Default as Base, LayerKind, Policy, Says, Unattended};
use toolgate::redact::Redactor;
use toolgate::world::Frozen;

const SHIPPED: &[&str] = &[
    "1-container.toml",
    "2-org.toml",
    "3-laptop.toml",
    "default.toml",
    "guard.toml",
    "observe.toml",
    "readonly.toml",
    "strict.toml",
];

/// Names of hosts that exist, and why they may stand in policies and cases.
const REAL_HOSTS: &[(&str, &str)] = &[
    ("api.anthropic.com", "the model's service: without it there is no agent"),
    ("docs.rs", "documentation, of the printed policies"),
    ("developer.mozilla.org", "documentation, of the printed policies"),
    ("api.github.com", "the forge's API, of the printed policies"),
    ("github.com", "the forge, of the printed policies"),
    ("*.githubusercontent.com", "the forge's files, of the printed policies"),
    ("doc.rust-lang.org", "a forge or a manual that the guard lets be reached"),
    ("docs.python.org", "a forge or a manual that the guard lets be reached"),
    ("en.wikipedia.org", "a forge or a manual that the guard lets be reached"),
    ("gitlab.com", "a forge or a manual that the guard lets be reached"),
    ("go.dev", "a forge or a manual that the guard lets be reached"),
    ("nodejs.org", "a forge or a manual that the guard lets be reached"),
    ("objects.githubusercontent.com", "a forge or a manual that the guard lets be reached"),
    ("raw.githubusercontent.com", "a forge or a manual that the guard lets be reached"),
    ("stackoverflow.com", "a forge or a manual that the guard lets be reached"),
    ("*.github.com", "a forge or a manual that the guard lets be reached"),
    ("crates.io", "a registry of packages that a shipped policy lets be reached"),
    ("files.pythonhosted.org", "a registry of packages that a shipped policy lets be reached"),
    ("index.crates.io", "a registry of packages that a shipped policy lets be reached"),
    ("proxy.golang.org", "a registry of packages that a shipped policy lets be reached"),
    ("pypi.org", "a registry of packages that a shipped policy lets be reached"),
    ("registry.npmjs.org", "a registry of packages that a shipped policy lets be reached"),
    ("registry.yarnpkg.com", "a registry of packages that a shipped policy lets be reached"),
    ("repo.hex.pm", "a registry of packages that a shipped policy lets be reached"),
    ("repo.maven.apache.org", "a registry of packages that a shipped policy lets be reached"),
    ("repo.packagist.org", "a registry of packages that a shipped policy lets be reached"),
    ("rubygems.org", "a registry of packages that a shipped policy lets be reached"),
    ("static.crates.io", "a registry of packages that a shipped policy lets be reached"),
    ("sum.golang.org", "a registry of packages that a shipped policy lets be reached"),
    ("hooks.slack.com", "what a secret of this service looks like"),
    ("*.com", "a public suffix, which no rule may name"),
    ("**.co.uk", "a public suffix, which no rule may name"),
    ("*.github.io", "a suffix of a private registry, which is warned of"),
    ("json-schema.org", "the standard of the policies' schema"),
    ("json.schemastore.org", "the standard of the format that code scanning reads"),
    ("metadata.google.internal", "a cloud's metadata service, which is denied by name"),
];

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(root().join("policies").join(name)).unwrap()
}

fn policy(name: &str) -> Policy {
    loads(&[source(name, &shipped(name), None)]).policy.unwrap()
}

/// What is reported of a policy that loads, but for a signature, which is the operator's matter.
fn warnings(checked: &Checked) -> Vec<&Diagnostic> {
    checked.diagnostics.iter().filter(|found| found.code != "P034").collect()
}

#[test]
fn each_loads_and_holds_its_own_tests() {
    let there: BTreeSet<String> = std::fs::read_dir(root().join("policies"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    assert_eq!(there, SHIPPED.iter().map(|name| (*name).to_owned()).collect());
    for name in SHIPPED {
        let text = shipped(name);
        assert!(text.starts_with("#:schema ./policy.schema.json\n"), "{name}");
        let checked = loads(&[source(name, &text, None)]);
        let mut warned = warnings(&checked);
        // The packs know some ninety ways to misuse one program: 5 µs for a command of that program.
        warned.retain(|found| found.code != "P040" || name != &"guard.toml");
        assert!(warned.is_empty(), "{name}: {warned:?}");
        assert!(checked.held() >= 4, "{name} tests nothing");
    }
}

/// Long rules that hold something back say what to do instead, and have an example on each side.
#[test]
fn each_rule_of_ours_steers_and_is_tried() {
    for name in ["strict.toml", "readonly.toml", "observe.toml"] {
        let text = shipped(name);
        let policy = policy(name);
        let (document, _) = read(name, &text);
        // A line of the grid has no table of its own.
        let long = document.rules.iter().filter(|rule| !rule.id.value.contains(['.', ':']));
        for rule in long {
            let id = &rule.id.value;
            let compiled = policy.layers.iter().flat_map(|layer| &layer.rules);
            let compiled = compiled.into_iter().find(|rule| rule.id == *id).unwrap();
            let holds_back =
                matches!(compiled.says, Says::Effect(Effect::Ask | Effect::Deny) | Says::Redact);
            assert!(!holds_back || rule.why.is_some(), "{name}: `{id}` says no why");
            for side in [Expect::Match, Expect::Skip] {
                let tried = rule.examples.iter().any(|example| example.value.expect == side);
                assert!(tried, "{name}: `{id}` has no example that it should {side:?}");
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stacks {
    stack: Vec<Stack>,
}

/// Policies of several layers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stack {
    name: String,
    policies: Vec<String>,
    #[serde(default)]
    texts: Vec<String>,
    /// How much of it is ignored, and reported.
    #[serde(default)]
    warnings: usize,
    group: Vec<Group>,
}

#[test]
fn layers_come_to_what_the_language_says() {
    let stacks: Stacks = toml::from_str(include_str!("cases/layers.toml")).unwrap();
    assert!(stacks.stack.len() >= 6);
    for stack in stacks.stack {
        let mut texts: Vec<(String, String)> =
            stack.policies.iter().map(|name| (name.clone(), shipped(name))).collect();
        texts.extend(stack.texts.iter().map(|text| ("below".to_owned(), text.clone())));
        let tests = tests(&stack.group, &["fixtures/private/a".to_owned(), "a".to_owned()]);
        let (_, last) = texts.last_mut().unwrap();
        *last = with_tests(last, &tests);
        let sources: Vec<_> = texts.iter().map(|(name, text)| source(name, text, None)).collect();
        let checked = loads(&sources);
        assert!(checked.held() >= tests.len(), "{}", stack.name);
        let warned = warnings(&checked);
        assert_eq!(warned.len(), stack.warnings, "{}: {warned:?}", stack.name);
    }
}

/// One call, judged at the start of a session.
fn judge(policy: &Policy, call: &CallText, files: &[String]) -> Decision {
    let anchors = Anchors::frozen(None);
    let workspace = &anchors.workspace;
    let there: Vec<AbsPath> = files.iter().map(|file| workspace.join(file).unwrap()).collect();
    let world = Frozen::with_files(&there);
    let place = Place { world: &world, workspace, tmp: &anchors.tmp };
    let around = Circumstances::plain(workspace.clone());
    let mut facts = facts_of(call, &around, &policy.tools, &place);
    facts.session.used = vec![0.0; policy.limits.len()];
    facts.session.spent.transcript =
        Some(Transcript::Read { turns: 0, cost_usd: 0.0, models: BTreeSet::new() });
    decide(policy, &facts, &REDACTOR)
}

/// Every call of the ordinary cases, read as the language reads it.
fn ordinary_calls() -> Vec<(CallText, Vec<String>, String)> {
    let mut all = Vec::new();
    for text in
        [include_str!("cases/ordinary/default.toml"), include_str!("cases/ordinary/container.toml")]
    {
        let Cases { files, group } = toml::from_str(text).unwrap();
        let tests = tests(&group, &files);
        let (document, diagnostics) = read("cases", &with_tests("schema = 1", &tests));
        assert!(document.tests.len() == tests.len(), "{diagnostics:?}");
        for (read, test) in document.tests.into_iter().zip(tests) {
            let text = test.text();
            if let Claim::Call(call) = read.claim {
                all.push((call, test.files, text));
            }
        }
    }
    assert!(all.len() > 500);
    all
}

#[test]
fn observe_holds_nothing_back_and_tells_what_strict_would() {
    let (observe, strict) = (policy("observe.toml"), policy("strict.toml"));
    let mut wrong = String::new();
    for (call, files, text) in ordinary_calls() {
        let seen = judge(&observe, &call, &files);
        // The floor is not the policy's to switch off.
        if seen.rules.iter().any(|rule| rule.id.starts_with("toolgate:")) {
            continue;
        }
        assert!(matches!(seen.verdict, Verdict::Allow | Verdict::Defer), "{text}");
        let told: Vec<&str> = seen
            .rules
            .iter()
            .filter(|rule| rule.shadow && rule.effect != Effect::Allow)
            .map(|rule| rule.id.as_str())
            .collect();
        let held = judge(&strict, &call, &files);
        if told.is_empty() != (held.attended_verdict == Verdict::Allow) {
            wrong +=
                &format!("{text}\n   {}: {}\n   {told:?}\n", held.attended_verdict, held.reason);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn observe_has_no_rule_that_could_hold_back() {
    for layer in policy("observe.toml").layers {
        assert_eq!((layer.default, layer.opaque), (Base::Defer, Base::Defer));
        assert_eq!(layer.unattended, Unattended::Defer);
        for rule in &layer.rules {
            let silent = rule.shadow || rule.says == Says::Note;
            assert!(silent || rule.says == Says::Effect(Effect::Allow), "`{}`", rule.id);
        }
    }
}

#[test]
fn web_text_marks_the_session_under_the_organisations_policy() {
    let org = source("2-org.toml", &shipped("2-org.toml"), None);
    let container = source("1-container.toml", &shipped("1-container.toml"), None);
    let both = loads(&[org, container]).policy.unwrap();
    assert!(both.layers.iter().map(|layer| layer.kind).eq([LayerKind::Org, LayerKind::User]));
    let fetched = |url: &str| {
        let input = serde_json::json!({ "url": url, "prompt": "x" });
        judge(&both, &CallText::Tool("WebFetch".to_owned(), input), &[])
    };
    let marked = |decision: &Decision| {
        decision.obligations.iter().any(|obligation| {
            matches!(obligation, Obligation::Mark { label, .. } if label == "untrusted")
        })
    };
    assert!(marked(&fetched("https://docs.rs/serde")));
    assert!(!marked(&fetched("https://static.pkgs.example/x")));
    // What is refused marks nothing: it did not come in.
    assert!(!marked(&fetched("https://developer.mozilla.org/")));
}

/// What the schema lets a call leave out is not there; of a tool without a schema nobody knows.
#[test]
fn an_argument_that_may_be_left_out_is_a_no() {
    let text = r#"
schema = 1
[policy]
name    = "conditions"
default = "defer"
[[rule]]
id    = "of-the-shell"
deny  = "call"
match = ["Bash"]
when  = { "args.run_in_background" = true }
examples = [
  { bash = "ls", expect = "skip" },
  { call = "Bash", args = { command = "ls", run_in_background = true }, expect = "match" },
  { call = "Bash", args = { command = "ls", run_in_background = "yes" }, expect = "maybe" },
]
[[rule]]
id    = "of-another"
deny  = "call"
match = ["mcp:jobs/run"]
when  = { "args.run_in_background" = true }
examples = [
  { call = "mcp:jobs/run", args = { name = "x" }, expect = "maybe" },
  { call = "mcp:jobs/run", args = { name = "x", run_in_background = false }, expect = "skip" },
]
[[rule]]
id    = "of-what-must-be-there"
deny  = "call"
match = ["Edit"]
when  = { "args.new_string" = "*eval*" }
examples = [
  { call = "Edit", args = { file_path = "a", old_string = "x" }, expect = "maybe" },
  { call = "Edit", args = { file_path = "a", old_string = "x", new_string = "y" }, expect = "skip" },
]
"#;
    assert_eq!(loads(&[source("conditions", text, None)]).held(), 7);
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The names of hosts in a text: what follows `://` or `@`, and whatever ends like a domain.
fn hosts(text: &str) -> BTreeSet<String> {
    const ENDS: &[&str] = &[
        "com", "org", "net", "io", "dev", "ai", "app", "cloud", "internal", "goog", "co", "info",
        "xyz", "eu", "us", "uk", "de",
    ];
    let part = |c: char| c.is_alphanumeric() || "-.*_".contains(c);
    let name = |text: &str| -> String { text.chars().take_while(|c| part(*c)).collect() };
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("://") {
        // What follows these is a bucket, or a vault.
        let before = text.get(..at).unwrap();
        if ["s3", "gs", "op"].iter().any(|scheme| before.ends_with(scheme)) {
            continue;
        }
        let rest = text.get(at + 3..).unwrap();
        let ends = |c: char| c.is_whitespace() || "/\"'`|,)".contains(c);
        let authority = rest.split(ends).next().unwrap();
        found.insert(name(authority.rsplit('@').next().unwrap()));
    }
    for (at, _) in text.match_indices('@') {
        let (before, after) = (text.get(..at).unwrap(), text.get(at + 1..).unwrap());
        let host = name(after);
        // `name@version` and `@file` name no host.
        if before.ends_with(|c: char| c.is_alphanumeric())
            && host.contains('.')
            && !host.starts_with('.')
        {
            found.insert(host);
        }
    }
    for word in text.split(|c| !part(c)) {
        let Some((name, last)) = word.rsplit_once('.') else { continue };
        if ENDS.contains(&last) && !name.is_empty() {
            found.insert(word.to_owned());
        }
    }
    found
}

fn is_no_name(host: &str) -> bool {
    let host = host.trim_end_matches(['.', '*']).to_ascii_lowercase();
    let address = host.starts_with("0x")
        || !host.is_empty() && host.chars().all(|c| c.is_ascii_digit() || c == '.');
    let reserved = ["example", "localhost", "test", "invalid"];
    let any = host.chars().all(|c| matches!(c, '*' | '.'));
    any || address || host.rsplit('.').next().is_some_and(|last| reserved.contains(&last))
}

#[test]
fn no_host_is_invented() {
    let mut files = Vec::new();
    for directory in ["policies", "tests/cases"] {
        files_below(&root().join(directory), &mut files);
    }
    assert!(files.len() > 15);
    let mut used = BTreeSet::new();
    let mut wrong = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy();
        // A program goes where its manual says.
        if file.to_string_lossy().contains("catalogue/programs") {
            continue;
        }
        // These are about suffixes that the world shares, so they name some.
        if ["P036", "P039"].iter().any(|code| name.starts_with(code)) {
            continue;
        }
        // What a client sent need not be text.
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for host in hosts(&text) {
            if REAL_HOSTS.iter().any(|(real, _)| *real == host) {
                used.insert(host);
            } else if !is_no_name(&host) {
                wrong += &format!("{}: `{host}`\n", file.display());
            }
        }
    }
    assert!(wrong.is_empty(), "hosts that do not end in .example:\n{wrong}");
    let all: BTreeSet<String> = REAL_HOSTS.iter().map(|(real, _)| (*real).to_owned()).collect();
    assert_eq!(used, all, "a name that no file has need not be excused");
}

#[test]
fn an_invented_host_is_found() {
    for text in ["https://evil.com/x", "see www.acme.io", "user@build.acme.net:x", "http://acme/"] {
        assert!(hosts(text).iter().any(|host| !is_no_name(host)), "{text}");
    }
    for text in ["https://a.example", "src/main.rs", "name@2", "@scope/x", "http://127.0.0.1:80"] {
        assert!(hosts(text).iter().all(|host| is_no_name(host)), "{text}");
    }
}
