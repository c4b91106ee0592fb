use crate::policy::builtin::Protected;
use crate::policy::canonical::sha256;
use crate::policy::compile::{Compiled, Source, compile};
use crate::policy::pattern::Anchors;
use proptest::prelude::*;

fn compiled(texts: &[&str]) -> Compiled {
    let source = |(place, text): (usize, &&str)| Source {
        name: format!("{place}.toml"),
        text: (*text).to_owned(),
        layer: None,
    };
    let sources: Vec<Source> = texts.iter().enumerate().map(source).collect();
    let compiled = compile(&sources, &Anchors::frozen(None), &Protected::default());
    assert!(compiled.policy.is_some(), "{texts:?}: {:?}", compiled.diagnostics);
    compiled
}

fn digest(texts: &[&str]) -> String {
    compiled(texts).policy.unwrap().id.sha256
}

const POLICY: &str = r#"
schema = 1
[policy]
name = "p"
version = "1"
default = "ask"
opaque = "deny"
unattended = "defer"
include = ["std:metadata@1"]
signers = ["a@acme.example"]
[let]
hosts = ["https://a.example", "https://b.example"]
unused = ["x"]
[let.open]
mirrors = ["https://m.example"]
[layers]
project = "tighten"
[read]
allow = ["$workspace/", "/usr/"]
[connect]
allow = ["$hosts", "$mirrors"]
[tool."mcp:fs/write"]
write = "args.path"
[mcp.files]
command = ["files", "--stdio"]
pin = "lock"
[labels]
external = ["approved:*"]
[budget]
calls = 600
wall = "30m"
[[rule]]
id = "r"
deny = ["read", "write"]
match = ["**/.env", "**/.env.*"]
unless = ["**/.env.example"]
when = { agent = "reviewer", "args.n" = [1, 2] }
mark = ["secret"]
why = "Because."
capture = "digest"
examples = [{ read = "/work/.env", expect = "skip" }]
[[rule]]
id = "s"
allow = "call"
match = ["mcp:pay/refund"]
when = { seen = "approved" }
limit = { sum = "args.n", max = 20, per = "day" }
until = 2999-01-01
[[rule]]
id = "k"
redact = "output"
match = ["$keys", { regex = "x+" }]
[[rule]]
id = "t"
deny = "exec"
match = ["b ...", "a ..."]
mode = "shadow"
[[test]]
name = "t"
call = { bash = "x" }
expect = "ask"
"#;

/// The same policy: what it is written as, and what it is written as instead.
const SAME: &[(&str, &str)] = &[
    ("version = \"1\"\n", "# a comment\nversion   =   '1'\n"),
    ("[\"$workspace/\", \"/usr/\"]", "[\n  '/usr/', # second\n  \"$workspace/\",\n]"),
    ("\"**/.env\", ", "\"**/.env\", \"**/.env\", "),
    ("[\"$hosts\", \"$mirrors\"]", "[\"$mirrors\", \"$hosts\"]"),
    (
        "[\"https://a.example\", \"https://b.example\"]",
        "[\"https://b.example\", \"https://a.example\"]",
    ),
    ("unused = [\"x\"]", ""),
    ("deny = [\"read\", \"write\"]", "deny = [\"write\", \"read\"]"),
    ("[\"**/.env\", \"**/.env.*\"]", "[\"**/.env.*\", \"**/.env\"]"),
    ("agent = \"reviewer\", \"args.n\" = [1, 2]", "args = { n = [2, 1] }, agent = \"reviewer\""),
    ("examples = [{ read = \"/work/.env\", expect = \"skip\" }]", ""),
    ("name = \"t\"\n", "name = \"another\"\n"),
    ("[\"b ...\", \"a ...\"]", "[\"a ...\", \"b ...\"]"),
    ("wall = \"30m\"", "wall = \"1800s\""),
    ("until = 2999-01-01", "until = 2999-01-01T00:00:00Z"),
    ("per = \"day\"", "per = \"day\", over = \"deny\", scope = \"user\""),
    ("[\"$keys\", { regex = \"x+\" }]", "[{ regex = 'x+' }, '$keys']"),
    ("[mcp.files]\ncommand", "[mcp.files] # files\n\ncommand"),
];

#[test]
fn what_says_the_same_has_the_same_digest() {
    let whole = digest(&[POLICY]);
    for (one, other) in SAME {
        assert!(POLICY.contains(one), "{one}");
        assert_eq!(digest(&[&POLICY.replacen(one, other, 1)]), whole, "{one} as {other}");
    }
}

/// Another policy: what is written, and what changes it.
const OTHER: &[(&str, &str)] = &[
    ("name = \"p\"", "name = \"q\""),
    ("version = \"1\"", "version = \"2\""),
    ("default = \"ask\"", "default = \"deny\""),
    ("opaque = \"deny\"", "opaque = \"ask\""),
    ("unattended = \"defer\"", "unattended = \"deny\""),
    ("include = [\"std:metadata@1\"]", ""),
    ("std:metadata@1", "std:secrets@1"),
    ("a@acme.example", "b@acme.example"),
    ("https://a.example", "https://c.example"),
    ("https://m.example", "https://n.example"),
    ("mirrors = [", "mirrored = ["),
    ("project = \"tighten\"", "project = \"fill\""),
    ("\"/usr/\"", "\"/lib/\""),
    ("[read]\nallow", "[write]\nallow"),
    ("[read]\nallow", "[read]\nask"),
    ("mcp:fs/write", "mcp:fs/edit"),
    ("args.path", "args.file"),
    ("write = \"args", "read = \"args"),
    ("[mcp.files]", "[mcp.other]"),
    ("--stdio", "--http"),
    ("\"lock\"", "\"none\""),
    ("approved:*", "approved"),
    ("calls = 600", "calls = 601"),
    ("\"30m\"", "\"31m\""),
    ("id = \"r\"", "id = \"rr\""),
    ("deny = [\"read\", \"write\"]", "deny = [\"read\"]"),
    ("deny = [\"read\", \"write\"]", "ask = [\"read\", \"write\"]"),
    ("\"**/.env.*\"", "\"**/.env*\""),
    ("\"**/.env.example\"", "\"**/.env.sample\""),
    ("\"reviewer\"", "\"writer\""),
    ("[1, 2]", "[1, 3]"),
    ("[1, 2]", "[\"1\", \"2\"]"),
    ("mark = [\"secret\"]", "mark = [\"private\"]"),
    ("Because.", "Because!"),
    ("capture = \"digest\"", "capture = \"full\""),
    ("max = 20", "max = 20.5"),
    ("per = \"day\"", "per = \"hour\""),
    ("sum = \"args.n\", ", ""),
    ("2999-01-01", "2999-01-02"),
    ("redact = \"output\"", "deny = \"output\""),
    ("{ regex = \"x+\" }", "{ regex = \"x\" }"),
    (", { regex = \"x+\" }", ""),
    ("mode = \"shadow\"", ""),
    ("\"a ...\"]", "\"a\"]"),
];

#[test]
fn every_word_that_matters_changes_the_digest() {
    let whole = digest(&[POLICY]);
    for (one, other) in OTHER {
        assert!(POLICY.contains(one), "{one}");
        // A list is renamed together with its use.
        let text = POLICY.replacen(one, other, 1);
        let text = if *one == "mirrors = [" { text.replace("$mirrors", "$mirrored") } else { text };
        assert_ne!(digest(&[&text]), whole, "{one} as {other}");
    }
}

#[test]
fn the_digest_is_that_of_the_text_and_the_text_is_plain_json() {
    let strange = "schema=1\n[policy]\nname=\"\u{e9}\u{1f600}\"\n[read]\ndeny=['/a\u{e9}\\b']";
    for text in [POLICY, strange] {
        let found = compiled(&[text]);
        assert_eq!(sha256(&found.canonical), found.policy.unwrap().id.sha256);
        assert!(found.canonical.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)));
        assert!(found.canonical.ends_with("]}\n"));
        let value: serde_json::Value = serde_json::from_str(&found.canonical).unwrap();
        assert_eq!(value["layers"][0]["layer"], "user");
    }
}

#[test]
fn a_file_may_be_split_and_its_rules_moved_within_a_layer() {
    let header = |name: &str| format!("schema = 1\n[policy]\nname = \"{name}\"\n");
    let (a, b) = ("[read]\ndeny = ['/a']\n", "[read]\ndeny = ['/b']\n");
    let (one, other) = (header("one"), header("other"));
    let expected = digest(&[&format!("{one}{a}"), &format!("{other}{b}")]);
    for files in [
        [format!("{other}{b}"), format!("{one}{a}")],
        [format!("{one}{b}"), format!("{other}{a}")],
        [one.clone(), format!("{other}[read]\ndeny = ['/b', '/a']\n")],
    ] {
        assert_eq!(digest(&[&files[0], &files[1]]), expected, "{files:?}");
    }
    let org = format!("{}{a}", one.replace("[policy]", "[policy]\nlayer = 'org'"));
    assert_ne!(digest(&[&org, &format!("{other}{b}")]), expected);
}

#[test]
fn what_is_ignored_is_not_in_it_and_what_is_added_to_an_open_list_is() {
    let org = "schema = 1\n[policy]\nname = 'o'\nlayer = 'org'\n[layers]\nuser = 'fill'\n\
               [let.open]\nm = ['https://a.example']\n[connect]\nallow = ['$m']\n";
    let project = "schema = 1\n[policy]\nname = 'p'\nlayer = 'project'\n";
    let ignored = format!("{project}[read]\nallow = ['/x']\n");
    assert_eq!(digest(&[org, project]), digest(&[org, &ignored]));
    let user = "schema = 1\n[policy]\nname = 'u'\n[let.open]\nm = ['https://b.example']\n";
    let found = compiled(&[org, user]);
    let rule = found.canonical.lines().find(|line| line.contains("connect.allow")).unwrap();
    assert!(rule.contains(r#""match":["https://a.example","https://b.example"]"#), "{rule}");
}

proptest! {
    /// Rules, patterns and files of one layer, shuffled and laid out anew, are the same policy; one
    /// pattern more is another.
    #[test]
    fn order_and_layout_mean_nothing(
        rules in prop::collection::vec((0usize..3, prop::collection::vec(0u8..20, 1..4)), 1..8),
        shuffle in any::<prop::sample::Index>(), turn in 0usize..8, wide: bool,
    ) {
        let effects = ["allow", "ask", "deny"];
        let write = |rules: &[(usize, String, Vec<u8>)], wide: bool| {
            let mut text = "schema = 1\n[policy]\nname = 'p'\n".to_owned();
            for (effect, id, patterns) in rules {
                let patterns: Vec<String> = patterns.iter().map(|n| format!("'/d{n}/'")).collect();
                let gap = if wide { "\n    " } else { " " };
                let list = patterns.join(&format!(",{gap}"));
                let comment = if wide { "# why\n" } else { "" };
                text.push_str(&format!(
                    "{comment}[[rule]]\nid = '{id}'\n{} = 'read'\nmatch = [{gap}{list}{gap}]\n",
                    effects[*effect]
                ));
            }
            text
        };
        let rules: Vec<_> = rules
            .into_iter()
            .enumerate()
            .map(|(n, (effect, patterns))| (effect, format!("r{n}"), patterns))
            .collect();
        let mut other = rules.clone();
        let at = shuffle.index(other.len());
        other.rotate_left(turn % rules.len());
        other[at].2.reverse();
        let whole = digest(&[&write(&rules, false)]);
        prop_assert_eq!(&digest(&[&write(&other, wide)]), &whole);
        let (left, right) = other.split_at(at);
        let split = |order: [&[_]; 2]| digest(&[&write(order[0], wide), &write(order[1], false)]);
        prop_assert_eq!(split([left, right]), split([right, left]));
        other[at].2.push(99);
        prop_assert_ne!(digest(&[&write(&other, wide)]), whole);
    }
}
