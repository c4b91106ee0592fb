//! Policies made of few names, so that their rules meet: all verbs, effects, conditions, layers.

use super::choice::Choices;
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::rule::LayerKind;
use toolgate::policy::{Policy, Severity, Source, compile};

/// A policy as it is written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its files, each of a layer; several may be of one.
    pub files: Vec<File>,
    /// Whether the home of the agent is known.
    pub home: bool,
}

/// One file.
#[derive(Debug, Clone)]
pub struct File {
    /// Whose it is.
    pub layer: LayerKind,
    /// All but its rules.
    pub header: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its text, with an id that no other rule has.
    text: String,
}

const NAMES: &[&str] = &["a", "b", ".env", "A", ".env.x", "x.rs", "a.b", "conf", "É"];
/// What may stand for a name in a pattern.
const WILD: &[&str] = &[
    "*", "*.rs", ".env*", ".env.*", "a*", "*b", "?", "[ab]", "[!a]", "*n*", "{a,b}", "**", "*.Rs",
    "a*b", "*É", "c?nf", "{a,*.rs}",
];
const ROOTS: &[&str] = &["$workspace/", "/", "**/", "$home/", "~/", "$tmp/", "/work/"];
const COMMANDS: &[&str] = &[
    "git push ...",
    "git ...",
    "**",
    "git {push,pull} ...",
    "git push",
    "git",
    "git push -f ...",
    "git push --force* ...",
    "git -x? push",
    "git -xf push ...",
    "{git,tool} ...",
    "tool push ...",
    "gi* ...",
    "*t push ...",
    "g?t ...",
    "*",
    "* --force ...",
    "*i* ...",
    "./x ...",
    "./ ...",
    "/usr/bin/git ...",
    "$tmp/ ...",
    "**/git push ...",
    "git ... a",
    "git ... push ...",
    "git push a",
    "git pu* ...",
    "git push $workspace/a",
    "git $workspace/ ...",
    "git k=v ...",
    "git k=v push ...",
    "git k=* push",
    "git of=/work/* push ...",
    "git of=/work/* ...",
    "tool ... | git ...",
    "{tool,git} ... | {sh,git} push",
    "tool -- a",
];
const HOSTS: &[&str] = &[
    "https://a.example",
    "a.example",
    "**",
    "*.a.example",
    "**.a.example",
    "http://*.example",
    "a.example:*",
    "a.example:8443",
    "https://b.a.example:*",
    "https://a.example/docs/**",
    "a.example/admin",
    "GET https://a.example",
    "GET *.a.example/docs/*",
    "https://*/x",
    "*",
    "**:*",
    "http://*",
    "10.0.0.0/8",
    "10.0.0.1",
    "10.0.0.1:*",
    "10.0.0.1/32",
    "10.0.0.0/31",
    "[::ffff:10.0.0.1]:*",
    "https://[64:ff9b::10.0.0.1]",
    "::ffff:10.0.0.0/104",
    "64:ff9b::/96",
    "0.0.0.0/0",
    "::/0",
    "[::1]:*",
    "$private",
    "$loopback",
    "$metadata",
    "unix:**",
    "unix:/work/",
    "unix:/work/s",
    "unix:**/s",
    "unix:/work/*",
];
const TOOLS: &[&str] = &[
    "Read",
    "**",
    "$transparent",
    "mcp:a/*",
    "mcp:a/get_*",
    "mcp:a/get_x",
    "mcp:a/{get,list}_x",
    "mcp:*/get_x",
    "*",
    "*_x",
    "m*x",
    "mcp:a/get_?",
    "B*",
    "*et*",
    "mcp:b/*",
];

impl Draft {
    /// Some policy.
    pub fn of(choices: &mut Choices<'_>) -> Draft {
        let kinds: &[&[LayerKind]] = &[
            &[LayerKind::User],
            &[LayerKind::Org, LayerKind::User, LayerKind::Project],
            &[LayerKind::Org, LayerKind::Project],
            &[LayerKind::Org, LayerKind::User],
            &[LayerKind::User, LayerKind::Project],
            &[LayerKind::User, LayerKind::User],
            &[LayerKind::Org, LayerKind::User, LayerKind::User],
        ];
        let mut files = Vec::new();
        for (nth, layer) in choices.one(kinds).iter().enumerate() {
            let header = header(*layer, nth, choices);
            let mut place = 0;
            let mut next = |choices: &mut Choices<'_>| {
                place += 1;
                Rule::of(format!("r{nth}-{place}"), choices)
            };
            let rules = choices.some(0, 9, &mut next);
            files.push(File { layer: *layer, header, rules });
        }
        Draft { files, home: !choices.once_in(8) }
    }

    /// The policy, compiled. Whatever is made here loads.
    pub fn policy(&self) -> Policy {
        let sources: Vec<Source> = self.files.iter().enumerate().map(File::source).collect();
        let mut anchors = Anchors::frozen(None);
        if !self.home {
            anchors.home = None;
        }
        let compiled = compile(&sources, &anchors, &protected());
        let errors = compiled.diagnostics.iter().filter(|it| it.severity == Severity::Error);
        let errors: Vec<_> = errors.collect();
        compiled.policy.unwrap_or_else(|| panic!("{errors:#?}\n{self}"))
    }
}

/// What belongs to the guard.
fn protected() -> Protected {
    let at = |text: &str| toolgate::model::path::AbsPath::parse(text).unwrap();
    Protected {
        paths: vec![at("/work/A/conf")],
        links: Vec::new(),
        sockets: vec![at("/work/s")],
        secrets: Vec::new(),
    }
}

impl std::fmt::Display for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, file) in self.files.iter().enumerate() {
            writeln!(f, "# file {nth}, home {}\n{}", self.home, file.text())?;
        }
        Ok(())
    }
}

impl File {
    fn source((nth, file): (usize, &File)) -> Source {
        Source { name: format!("f{nth}"), text: file.text(), layer: Some(file.layer) }
    }

    fn text(&self) -> String {
        let rules: String = self.rules.iter().map(|rule| rule.text.as_str()).collect();
        format!("{}{rules}", self.header)
    }
}

fn header(layer: LayerKind, nth: usize, choices: &mut Choices<'_>) -> String {
    let verdicts = ["deny", "defer", "ask"];
    let (default, opaque) = (choices.one(&verdicts), choices.one(&verdicts));
    let unattended = choices.one(&["deny", "defer"]);
    let mut text = format!(
        "schema = 1\n[policy]\nname = \"p{nth}\"\ndefault = \"{default}\"\nopaque = \"{opaque}\"\n\
         unattended = \"{unattended}\"\n"
    );
    let powers = ["fill", "tighten"];
    match layer {
        LayerKind::Org => text.push_str(&format!(
            "[layers]\nuser = \"{}\"\nproject = \"{}\"\n",
            choices.one(&powers),
            choices.one(&powers)
        )),
        LayerKind::User | LayerKind::Project => {}
    }
    if choices.once_in(6) {
        text.push_str("[tool.\"mcp:a/get_y\"]\nread = \"args.path\"\n");
    }
    if choices.once_in(12) {
        text.push_str("[budget]\ncalls = 3\n");
    }
    text
}

impl Rule {
    /// Some rule.
    pub fn of(id: String, choices: &mut Choices<'_>) -> Rule {
        let effects = ["allow", "deny", "ask", "allow", "deny", "note"];
        let effect = choices.one(&effects);
        Rule::with(effect, id, choices)
    }

    /// Some rule with this effect, enforced.
    pub fn deny(id: String, choices: &mut Choices<'_>) -> Rule {
        Rule::with("deny", id, choices)
    }

    fn with(effect: &str, id: String, choices: &mut Choices<'_>) -> Rule {
        let (verbs, pattern): (&[&str], Pattern) = match choices.below(6) {
            0 => (&["read"], path),
            1 => (&["write"], path),
            2 => (&["read", "write"], path),
            3 => (&["exec"], |choices| match choices.once_in(3) {
                true => choices.one(&COMMANDS[..8]).to_owned(),
                false => choices.one(COMMANDS).to_owned(),
            }),
            4 => (&["connect"], |choices| choices.one(HOSTS).to_owned()),
            _ => (&["call"], |choices| choices.one(TOOLS).to_owned()),
        };
        let matches = choices.some(1, 3, pattern);
        let most = if choices.once_in(10) { 24 } else { 1 };
        let unless = if choices.once_in(3) { choices.some(1, most, pattern) } else { vec![] };
        let mut text =
            format!("[[rule]]\nid = {id:?}\n{effect} = {verbs:?}\nmatch = {matches:?}\n");
        if !unless.is_empty() {
            text.push_str(&format!("unless = {unless:?}\n"));
        }
        if choices.once_in(3) {
            text.push_str(&format!("when = {{ {} }}\n", conditions(effect, choices)));
        }
        if choices.once_in(5) {
            let marks = [r#"mark = ["t1"]"#, r#"mark = ["p1", "t2"]"#, r#"unmark = ["p1"]"#];
            text.push_str(&format!("{}\n", choices.one(&marks)));
        }
        let shadow = choices.once_in(10);
        if shadow {
            text.push_str("mode = \"shadow\"\n");
        }
        if choices.once_in(8) && (effect == "allow" || shadow) {
            text.push_str(choices.one(&["until = 2026-01-01\n", "until = 2028-01-01\n"]));
        }
        if choices.once_in(5) {
            let allow = [
                "\"2/min\"",
                "{ max = 3, per = \"session\", over = \"ask\" }",
                "{ sum = \"args.n\", max = 6, per = \"day\" }",
            ];
            let ask = ["\"2/min\"", "{ max = 3, per = \"session\", over = \"deny\" }"];
            match effect {
                "allow" => text.push_str(&format!("limit = {}\n", choices.one(&allow))),
                "ask" => text.push_str(&format!("limit = {}\n", choices.one(&ask))),
                _ => {}
            }
        }
        Rule { text }
    }
}

/// Makes a pattern of one verb.
type Pattern = fn(&mut Choices<'_>) -> String;

fn path(choices: &mut Choices<'_>) -> String {
    if choices.once_in(12) {
        return choices.one(&["**", "$credentials", "/"]).to_owned();
    }
    let root = choices.one(ROOTS);
    let parts = choices.some(0, 3, |choices| match choices.once_in(3) {
        true => choices.one(WILD),
        false => choices.one(NAMES),
    });
    let end = if parts.is_empty() || choices.once_in(2) { "" } else { "/" };
    match (root, parts.is_empty()) {
        ("**/", true) => "**/a".to_owned(),
        _ => format!("{root}{}{end}", parts.join("/")),
    }
}

/// `t1` and `t2` are taints, `p1` and `approved` are proofs.
fn conditions(effect: &str, choices: &mut Choices<'_>) -> String {
    let loosens = effect == "allow";
    let labels: &[&str] = match loosens {
        true => &[
            r#"seen = "p1""#,
            r#"not_seen = "t1""#,
            r#"seen = "approved:${args.ticket}""#,
            r#"not_seen = "t2""#,
        ],
        false => &[
            r#"seen = "t1""#,
            r#"not_seen = "p1""#,
            r#"seen = "t2""#,
            r#"not_seen = "approved:${args.ticket}""#,
        ],
    };
    let others = [
        r#""args.mode" = "fast""#,
        r#""args.mode" = ["f*", "slow"]"#,
        r#""args.mode" = { regex = "^f" }"#,
        r#""args.n" = "<= 2""#,
        r#""args.flag" = true"#,
        r#""args.gone" = { absent = true }"#,
        r#"agent = "main""#,
        r#"permission_mode = "default""#,
    ];
    match choices.below(3) {
        // A note uses a label the way of what it marks.
        _ if effect == "note" => choices.one(&others).to_owned(),
        0 => choices.one(labels).to_owned(),
        1 => choices.one(&others).to_owned(),
        _ => format!("{}, {}", choices.one(labels), choices.one(&others)),
    }
}
