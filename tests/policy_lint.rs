//! What lints promise besides their words, which `tests/diagnostics.rs` holds: they never change
//! whether a policy loads, the shipped policies have none, and ten thousand rules are few.
#![cfg(test)]

use toolgate::author::check::{Checked, check, check_and_lint, workspace_in};
use toolgate::model::time::Moment;
use toolgate::policy::builtin::{PACKS, Protected, pack};
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Diagnostic, Severity, Source};
use toolgate::redact::Redactor;

/// 2026-12-01: nothing that is shipped has ended.
const NOW: Moment = Moment(1_796_083_200 * Moment::SECOND);

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned(), layer: None }
}

fn lint(sources: &[Source]) -> Checked {
    let anchors = Anchors::frozen(workspace_in(sources));
    let redactor = Redactor::shipped().unwrap();
    check_and_lint(sources, &anchors, &Protected::default(), &redactor, Some(NOW))
}

fn told(found: &[Diagnostic], least: Severity) -> Vec<String> {
    let loud = found.iter().filter(|found| found.severity >= least);
    loud.map(|found| format!("{} {}", found.code, found.message)).collect()
}

#[test]
fn the_shipped_policies_have_no_warnings_but_those_that_are_right() {
    let mut shipped: Vec<Source> =
        PACKS.iter().map(|name| source(name, pack(name).unwrap())).collect();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "toml") {
            let name = path.file_name().unwrap().to_str().unwrap();
            shipped.push(source(name, &std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(shipped.len() >= 6, "the policies were not found");
    for source in shipped {
        let name = source.name.clone();
        let Checked { policy, diagnostics, .. } = lint(&[source]);
        assert!(policy.is_some(), "{name}: {diagnostics:?}");
        let expected = match name.as_str() {
            // It knows many programs by their options alone, each of which may stand anywhere.
            "std:destructive@1" => vec![
                "P040 `std:destructive/devices` and 64 more patterns are found by the same text: \
                 each exec that has it is compared with all of them, which takes about 4 µs",
            ],
            "2-org.toml" => vec!["P034 the signature of this file is not checked by this version"],
            _ => Vec::new(),
        };
        assert_eq!(told(&diagnostics, Severity::Warning), expected, "{name}");
    }
}

/// Every kind of lint at once; none of them keeps the policy from loading.
const POOR: &str = "schema = 1
[policy]
name = 'poor'
[let]
unused = ['https://a.example']
[read]
allow = ['$workspace/.env', '/usr/lib/', '/usr/']
deny = ['**/.env']
[exec]
allow = ['python3 ...']
deny = ['cd ...', 'git push *']
[connect]
allow = ['*.github.io', 'GET https://b.example/**']
[[rule]]
id = 'a'
ask = 'exec'
match = ['make ...']
when = { seen = 'nothing' }
examples = [{ bash = 'make x', after = ['nothing'], expect = 'match' }]
[[rule]]
id = 'b'
mode = 'shadow'
deny = 'read'
match = ['/b']
until = 2026-01-01
[[test]]
name = 'claim'
every = 'write'
expect = 'deny'
";

#[test]
fn a_lint_never_changes_whether_a_policy_loads() {
    let sources = [source("poor.toml", POOR)];
    let Checked { policy, diagnostics, .. } = lint(&sources);
    let found = told(&diagnostics, Severity::Note);
    for code in [
        "P021", "P022", "P023", "P024", "P025", "P026", "P027", "P028", "P029", "P035", "P037",
        "P039", "P043",
    ] {
        assert!(found.iter().any(|one| one.starts_with(code)), "{code}: {found:#?}");
    }
    assert_eq!(told(&diagnostics, Severity::Error), Vec::<String>::new());
    let redactor = Redactor::shipped().unwrap();
    let bare = check(&sources, &Anchors::frozen(None), &Protected::default(), &redactor);
    assert_eq!(bare.diagnostics, []);
    assert_eq!(bare.policy.unwrap().id, policy.unwrap().id);
}

/// Ten thousand rules that are like one another, with one that is dead and one that adds nothing.
fn large(verb: &str, rule: impl Fn(usize) -> String) -> String {
    let rules = |effect: &str, of: Vec<String>| format!("{effect} = [{}]\n", of.join(", "));
    let quoted = |n: usize| format!("'{}'", rule(n));
    let deny = (0..5_000).map(quoted).collect();
    let allow = (5_000..10_000).chain([7]).map(quoted).collect();
    format!(
        "schema = 1\n[policy]\nname = 'large'\ndefault = 'defer'\n[{verb}]\n{}{}",
        rules("deny", deny),
        rules("allow", allow)
    )
}

#[test]
fn ten_thousand_rules_are_all_compared() {
    for (verb, rule) in [
        ("read", (|n| format!("/srv/app-{n}/data/")) as fn(usize) -> String),
        ("read", |n| format!("/srv/{}/{}/x*", n % 100, n / 100)),
        ("write", |n| format!("**/build-{n}/*.tmp")),
        ("exec", |n| format!("git fetch remote-{n} ...")),
        ("exec", |n| format!("tool-{n} --dry-run ...")),
        ("connect", |n| format!("https://*.host-{n}.example")),
        ("connect", |n| format!("10.{}.{}.0/24", n / 250, n % 250)),
        ("call", |n| format!("mcp:server-{}/tool_{n}", n % 50)),
        ("call", |n| format!("mcp:server-{n}/get_*")),
    ] {
        let Checked { diagnostics, .. } = lint(&[source("large.toml", &large(verb, rule))]);
        let mut found = told(&diagnostics, Severity::Note);
        // Of one program and word they cost what they cost, and that is told too.
        found.retain(|one| !one.starts_with("P040"));
        assert_eq!(found, ["P021 this allow can never take effect"], "{verb} {}", rule(7));
    }
}
