//! The walls of the house: which module stands on which floor, who may call whom, and what must
//! never stand in `src/`. A new arrow is a decision: it is written down here, or this fails.
#![cfg(test)]
#![expect(clippy::string_slice, reason = "every place is one that `find` gave")]

#[path = "architecture/source.rs"]
mod source;

use source::{File, files, mask, paths, product, root};
use std::collections::{BTreeMap, BTreeSet};

/// The floor of each module under `src/`, from the ground up; some are still to be built. A module
/// imports from its own floor or one below, never from one above.
const FLOORS: &[(&str, u8)] = &[
    ("limits", 0),
    ("model", 0),
    ("catalogue", 1),
    ("policy", 1),
    ("shell", 1),
    ("redact", 1),
    ("engine", 1),
    ("world", 2),
    ("facts", 2),
    ("audit", 3),
    ("metrics", 3),
    ("session", 3),
    ("calls", 3),
    ("gate", 4),
    ("plane", 5),
    ("author", 6),
    ("service", 6),
    ("doctor", 6),
    ("review", 6),
    ("wiring", 6),
    ("cli", 7),
];

/// Floors 0 and 1 touch nothing outside of memory, so that they can be fuzzed and replayed.
const PURE_FLOOR: u8 = 1;

/// Every module, and all that it imports from. Exactly that: an arrow that is gone goes from here.
const ARROWS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("model", &["limits"]),
    ("catalogue", &["model"]),
    ("policy", &["limits", "model"]),
    ("shell", &["limits", "model"]),
    ("redact", &["limits", "model"]),
    // redact: what must be replaced in an output is part of the decision, so that it is recorded
    // before it is done.
    ("engine", &["limits", "model", "policy", "redact"]),
    ("world", &["limits", "model"]),
    // policy: a policy may teach the arguments of tools that no catalogue has (`[tool]`).
    ("facts", &["catalogue", "limits", "model", "policy", "shell", "world"]),
    // redact: texts of a record that nobody redacted before are redacted as they are written.
    // policy: a filter's words are a policy's text patterns, and its slips are told as a policy's.
    ("audit", &["limits", "model", "policy", "redact"]),
    // policy: a rule is counted by its id only while its policy is in force.
    ("metrics", &["limits", "model", "policy"]),
    // audit: what is remembered is built again from the log. catalogue: what models cost. policy:
    // which limits and labels there are. redact: a label is kept only as the log can keep it.
    // world: a session's transcript is one of the agent's files.
    ("session", &["audit", "catalogue", "limits", "model", "policy", "redact", "world"]),
    // audit: calls under way are read from the end of the log after a restart.
    // session: whose they are.
    ("calls", &["audit", "limits", "model", "session"]),
    (
        "gate",
        // metrics: calls are counted where they are decided, findings on their way to the log.
        // catalogue: which tools change nothing, so that their records may follow their answers.
        &[
            "audit",
            "calls",
            "catalogue",
            "engine",
            "facts",
            "limits",
            "metrics",
            "model",
            "policy",
            "redact",
            "session",
            "world",
        ],
    ),
    // facts: what a changed skill would run by itself is read as the floor reads it.
    // redact: an output that cannot be judged is withheld in its own shape, without a decision.
    // session: whose settings were looked at. world: whose files a listener's paths name is the
    // listener's to say. policy: a secret is bound to the paths of one of its text patterns.
    ("plane", &["facts", "gate", "limits", "model", "policy", "redact", "session", "world"]),
    // gate: only for `Bound`, a policy with its places; nothing is let through here.
    // limits: how often a fix is tried.
    // session: `policy eval` remembers what a sidecar would.
    (
        "author",
        &["engine", "facts", "gate", "limits", "model", "policy", "redact", "session", "world"],
    ),
    // author: a policy is in force only if its own examples and tests hold.
    // engine: a proxy that cannot see what a rule speaks of does not start.
    // metrics: what only the service sees is counted and told there too.
    // review: the pages on which the log is reviewed are one of its listeners.
    // session: what is remembered is built again before anything is answered.
    (
        "service",
        &[
            "audit", "author", "calls", "engine", "gate", "limits", "metrics", "model", "plane",
            "policy", "redact", "review", "session", "world",
        ],
    ),
    // What a record says is hostile until `visible` has it.
    // author: a recorded call is asked again as `policy explain` asks. gate: only for `Bound`.
    // policy: a kept policy's text is compiled again. redact: what an explanation withholds.
    ("review", &["audit", "author", "gate", "limits", "model", "policy", "redact"]),
    // author: settings are written anew as policies are: in one step, with mode and owner.
    // plane: which events of a runtime are registered is the table of the plane that answers them.
    ("wiring", &["author", "limits", "model", "plane"]),
    // plane: it reads the hooks' table of events, and asks the sidecar as the hook client does.
    // policy: the layers of the policies that it copies for a sidecar of its own.
    // wiring: it asks the client whether it reads the settings, as `init` does before it writes.
    ("doctor", &["audit", "limits", "model", "plane", "policy", "service", "wiring"]),
    // gate, redact, world: `policy eval` asks as the sidecar would; it has no way through.
    // plane: the demo plays a session through the hook client's own code.
    (
        "cli",
        &[
            "audit", "author", "doctor", "gate", "limits", "model", "plane", "policy", "redact",
            "review", "service", "wiring", "world",
        ],
    ),
];

/// `main.rs` takes the hook client before anything else, so that nothing slow stands before it.
const MAIN: &[&str] = &["cli", "plane"];

/// What reaches outside of memory. `std::net` addresses are values; its sockets are not.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "nix",
    "tokio",
    "uuid",
];

const CODE_LINES_MAX: usize = 500;
const COLUMNS_MAX: usize = 100;

/// Invariants of the architecture that can be tested now, each by a test that bears its number. 4
/// and 6 belong to planes that are not built yet.
const INVARIANTS: &[u8] = &[1, 2, 3, 5, 7, 8];

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn is_pure(file: &File) -> bool {
    floor_of(file.top()).is_some_and(|floor| floor <= PURE_FLOOR)
}

/// Fails with every wall that is broken, not only the first.
fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn each_file(judge: impl Fn(&File) -> Vec<String>) -> Vec<String> {
    let files = product();
    assert!(files.len() > 50, "the sources were not found");
    let told = |file: &File| {
        judge(file).into_iter().map(|why| format!("src/{}: {why}", file.name)).collect::<Vec<_>>()
    };
    files.iter().flat_map(told).collect()
}

/// The modules of `lib.rs` in the order in which they stand there.
fn lib_order() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let module = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    mask(&text).lines().filter_map(module).collect()
}

#[test]
fn every_module_has_a_floor() {
    none(&each_file(|file| match (file.top(), floor_of(file.top())) {
        ("main" | "lib", None) | (_, Some(_)) => vec![],
        (top, None) => vec![format!("`{top}` has no floor; give it one in tests/architecture.rs")],
    }));
}

#[test]
fn lib_names_every_module_after_those_it_imports_from() {
    let order = lib_order();
    let there: BTreeSet<_> = product().iter().map(|file| file.top().to_owned()).collect();
    let roots = ["lib".to_owned(), "main".to_owned()];
    let named: BTreeSet<_> = order.iter().cloned().chain(roots).collect();
    assert_eq!(named, there);
    let place = |module: &str| order.iter().position(|name| name == module);
    for (from, targets) in ARROWS {
        for to in *targets {
            assert!(place(to) < place(from), "lib.rs names `{to}` after `{from}`");
        }
    }
}

#[test]
fn every_arrow_between_modules_is_declared_and_points_down() {
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut broken = each_file(|file| {
        let allowed = match file.top() {
            "main" => MAIN,
            top => ARROWS.iter().find(|(from, _)| *from == top).map_or(&[][..], |(_, to)| *to),
        };
        let undeclared = |to: &String| !allowed.contains(&to.as_str());
        let say = |to: String| format!("imports from `{to}`, an arrow that is not declared");
        file.imports().into_iter().filter(undeclared).map(say).collect()
    });
    for file in product() {
        drawn.entry(file.top().to_owned()).or_default().extend(file.imports());
    }
    for (from, targets) in ARROWS.iter().copied().chain([("main", MAIN)]) {
        for to in targets {
            if !drawn.get(from).is_some_and(|drawn| drawn.contains(*to)) {
                broken.push(format!("the arrow {from} -> {to} is declared and no longer there"));
            }
            if floor_of(to) > floor_of(from) && from != "main" {
                broken.push(format!("the arrow {from} -> {to} points up"));
            }
        }
    }
    none(&broken);
}

#[test]
fn the_pure_floors_touch_nothing_outside_of_memory() {
    none(&each_file(|file| {
        if !is_pure(file) {
            return vec![];
        }
        let reaches = |path: &[String]| {
            let path = format!("{}::", path.join("::"));
            OUTSIDE.iter().find(|outside| path.starts_with(&format!("{outside}::")))
        };
        // A name that was imported is used bare: the import is what is caught.
        let all = paths(&file.code);
        all.iter().filter_map(|p| reaches(p)).map(|what| format!("names `{what}`")).collect()
    }));
}

#[test]
fn nothing_is_unsafe() {
    none(&each_file(|file| {
        file.lines_with("unsafe").iter().map(|line| format!("line {line} is unsafe")).collect()
    }));
}

#[test]
fn every_file_says_what_it_is_and_none_is_too_long() {
    none(&each_file(|file| {
        let mut broken = Vec::new();
        if !file.text.starts_with("//! ") {
            broken.push("does not begin with `//!` and what it is".to_owned());
        }
        if file.code_lines() > CODE_LINES_MAX {
            broken.push(format!("{} lines of code", file.code_lines()));
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            if line.chars().count() > COLUMNS_MAX {
                broken.push(format!("line {number} is longer than {COLUMNS_MAX} columns"));
            }
        }
        broken
    }));
}

#[test]
fn nothing_is_left_to_do_and_nothing_prints_that_panics_where_nobody_reads() {
    none(&each_file(|file| {
        let mut broken = Vec::new();
        for word in ["TODO", "FIXME", "XXX"] {
            if file.text.split(|c: char| !c.is_alphanumeric()).any(|part| part == word) {
                broken.push(format!("holds {word}"));
            }
        }
        // The command line has a writer of its own: these panic where a reader hangs up.
        let mut words = vec!["dbg!", "todo!", "println!", "print!"];
        words.extend(["eprintln!", "eprint!"].iter().filter(|_| file.top() != "service"));
        for word in words {
            broken.extend(file.lines_with(word).iter().map(|line| format!("line {line}: {word}")));
        }
        broken
    }));
}

#[test]
fn a_permit_and_a_receipt_are_made_in_one_place_each() {
    none(&each_file(|file| {
        let made = |words: [&str; 2], home: bool| {
            let lines = words.into_iter().flat_map(|word| file.lines_with(word));
            lines.filter(|_| !home).collect::<Vec<_>>()
        };
        let permits = made(["Permit {", "Permit{"], file.name == "gate/permit.rs");
        let receipts = made(["Receipt {", "Receipt::new("], file.top() == "audit");
        let say = |line| format!("line {line} makes what only the gate or the log may make");
        // `-> Receipt {` is the end of a signature.
        let is_made = |line: &usize| !file.code.lines().nth(line - 1).unwrap().contains("->");
        permits.into_iter().chain(receipts).filter(is_made).map(say).collect()
    }));
}

#[test]
fn each_invariant_has_a_test_that_names_it() {
    let text = std::fs::read_to_string(root().join("tests/invariants.rs")).unwrap();
    for number in INVARIANTS {
        let name = format!("fn invariant_{number}_");
        assert!(mask(&text).contains(&name), "no test is named invariant_{number}_...");
    }
}

/// Files that are the repository's: all but what `.gitignore` names.
fn tracked() -> Vec<std::path::PathBuf> {
    let skipped = [
        ".git",
        "target",
        "benches/peers/target",
        "fuzz/target",
        "fuzz/artifacts",
        "fuzz/coverage",
    ];
    let skipped: Vec<_> = skipped.iter().map(|name| root().join(name)).collect();
    let within = |at: &std::path::Path| skipped.iter().any(|skip| at.starts_with(skip));
    let tops = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for top in tops.filter(|top| !within(top)) {
        match top.is_dir() {
            true => found.extend(files(&top).into_iter().filter(|path| !within(path))),
            false => found.push(top),
        }
    }
    found
}

#[test]
fn no_file_names_a_developers_machine_or_a_package_registry() {
    // Put together here, so that this file names none of them.
    let hosts = [
        ("crates", ".io"),
        ("index.", "crates"),
        ("pypi", ".org"),
        ("registry.", "npmjs"),
        ("deb.", "debian"),
        ("static.", "rust-lang"),
    ]
    .map(|(a, b)| format!("{a}{b}"));
    // Something in the checkout: a case may well name a file that begins as its directory does.
    let mut here = vec![format!("{}/", root().display()), ["/Users", "/"].concat()];
    here.extend(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).to_str().map(str::to_owned));
    // Homes of people who are nobody: the examples'.
    let nobody = ["agent", "dev", "other"];
    let mut broken = Vec::new();
    let all = tracked();
    assert!(all.len() > 100, "the repository was not found");
    for path in all {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        // A policy says what may be reached, and a table what an install reaches.
        let of_policy = ["policies/", "tests/cases/", "tests/shipped_policies.rs", "Cargo.lock"];
        let may = of_policy.iter().any(|start| name.starts_with(start) || name.ends_with(start));
        let registry = hosts.iter().filter(|_| !may);
        for word in registry.chain(&here).filter(|word| text.contains(word.as_str())) {
            broken.push(format!("{name} names `{word}`"));
        }
        for (_, rest) in
            text.match_indices("/home/").map(|(at, home)| (at, &text[at + home.len()..]))
        {
            let user = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
            if !user.is_empty() && !nobody.contains(&user) {
                broken.push(format!("{name} names the home of `{user}`"));
            }
        }
    }
    none(&broken);
}

#[test]
fn this_reader_of_sources_reads_them_right() {
    let code = "let a = \"use crate::x; // \\\" \"; // crate::y\nlet b = '\"'; let c = r#\"\"crate::z\"#;\
                \nfn f<'a>(q: &'a str) { crate::real::f(q) } /* crate::w */";
    let named = |code: &str| paths(&mask(code)).iter().map(|p| p.join("::")).collect::<Vec<_>>();
    let all = named(code);
    let ours: Vec<_> = all.iter().filter(|path| path.starts_with("crate")).collect();
    assert_eq!(ours, ["crate::real::f"]);
    assert_eq!(
        named("use crate::{a, b::{self, c as d}, e::*};")[1..],
        // `as` and the new name count as paths too: none that is anyone's module.
        [
            "crate::a",
            "crate::b::self",
            "crate::b::c",
            "crate::b::as",
            "crate::b::d",
            "crate::e",
            "crate"
        ]
    );
    let file = |name: &str, code: &str| File {
        name: name.to_owned(),
        text: String::new(),
        code: code.to_owned(),
    };
    let imports = |name, code| file(name, code).imports().into_iter().collect::<Vec<_>>();
    assert_eq!(imports("gate/permit.rs", "super::super::audit::x; super::record::y"), ["audit"]);
    assert_eq!(imports("gate.rs", "super::audit::x; crate::gate::y"), ["audit"]);
    assert_eq!(imports("plane/hook/mod.rs", "super::super::model; super::x"), ["model"]);
    assert_eq!(file("a.rs", "unsafe_code\n x unsafe {").lines_with("unsafe"), [2]);
}
