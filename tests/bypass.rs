//! Known ways past a guard, each with the files it needs, made for real, and a call that looks
//! like it and is honest (`tests/cases/bypass/<id>.toml`).
//!
//! In a case `@` stands for a directory of its own: `@/w` is the workspace, `@/home` the agent's
//! home, `@/tmp` is `$tmp`. The policy is `common.toml` there, and what the case adds to it.
#![cfg(test)]

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use toolgate::author::call::{Circumstances, facts_of};
use toolgate::engine::decide;
use toolgate::facts::Place;
use toolgate::model::effect::Verdict;
use toolgate::model::json::parse;
use toolgate::model::path::AbsPath;
use toolgate::model::principal::Runtime;
use toolgate::policy::builtin::Protected;
use toolgate::policy::document::CallText;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::rule::Policy;
use toolgate::policy::{Source, compile};
use toolgate::redact::Redactor;
use toolgate::service::config::PolicyFiles;
use toolgate::service::load::with_other_names;
use toolgate::world::{Mounted, Pinned, Reported, Same, World};

const CASES: usize = 60;

/// One way past a guard.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The class of the taxonomy.
    class: String,
    /// Who has shown it, or what it is known by.
    source: String,
    why: String,
    #[serde(default)]
    setup: Setup,
    attack: Vec<Call>,
    #[serde(default)]
    honest: Vec<Call>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Setup {
    /// Whose files are judged: `same`, `mounted` (the workspace alone) or `client`.
    world: Option<String>,
    runtime: Option<String>,
    /// Where the call is made; else in the workspace.
    cwd: Option<String>,
    /// By which name the operator knows the workspace.
    workspace: Option<String>,
    /// Rules besides those of all cases.
    policy: String,
    dirs: Vec<String>,
    files: BTreeMap<String, String>,
    /// Links, and where they lead.
    links: BTreeMap<String, String>,
    /// Second names, and of which file.
    hard: BTreeMap<String, String>,
    /// What is done once the guard runs: moved from, moved to.
    moved: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    /// A command ...
    bash: Option<String>,
    /// ... or a tool, with its arguments as TOML or as JSON.
    tool: Option<String>,
    #[serde(default)]
    args: Option<toml::Table>,
    json: Option<String>,
    /// `allow`, `ask`, `deny`; `held` is either of the last two. An attack is denied and an honest
    /// call allowed where nothing is said.
    expect: Option<String>,
}

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());

fn cases() -> Vec<(String, Case)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/bypass");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|file| !file.ends_with("common.toml")).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(file).unwrap();
        let case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, case)
    };
    files.iter().map(read).collect()
}

fn abs(path: &Path) -> AbsPath {
    AbsPath::parse(path.to_str().unwrap()).unwrap()
}

/// The files of a case, made for real.
struct Stage {
    _scratch: tempfile::TempDir,
    root: PathBuf,
}

impl Stage {
    fn of(setup: &Setup) -> Stage {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let stage = Stage { _scratch: scratch, root };
        for directory in ["@/w", "@/home", "@/tmp"] {
            std::fs::create_dir(stage.at(directory)).unwrap();
        }
        for directory in &setup.dirs {
            std::fs::create_dir_all(stage.at(directory)).unwrap();
        }
        for (file, text) in &setup.files {
            let file = stage.at(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, stage.placed(text)).unwrap();
        }
        for (link, target) in &setup.links {
            let link = stage.at(link);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(stage.placed(target), link).unwrap();
        }
        for (name, of) in &setup.hard {
            std::fs::hard_link(stage.at(of), stage.at(name)).unwrap();
        }
        stage
    }

    fn placed(&self, text: &str) -> String {
        text.replace("@/", &format!("{}/", self.root.display()))
    }

    fn at(&self, text: &str) -> PathBuf {
        PathBuf::from(self.placed(text))
    }
}

fn policy(stage: &Stage, setup: &Setup, anchors: &Anchors) -> Policy {
    let text = concat!(include_str!("cases/bypass/common.toml"), "\n").to_owned() + &setup.policy;
    let text = stage.placed(&text);
    let source = Source { name: "the policy".to_owned(), text, layer: None };
    let compiled = compile(&[source], anchors, &Protected::default());
    compiled.policy.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

fn verdict(
    call: &Call,
    stage: &Stage,
    setup: &Setup,
    policy: &Policy,
    place: &Place<'_>,
) -> Verdict {
    let text = match (&call.bash, &call.tool, &call.args, &call.json) {
        (Some(command), None, None, None) => CallText::Bash(stage.placed(command)),
        (None, Some(tool), Some(args), None) => {
            let json = serde_json::to_string(args).unwrap();
            CallText::Tool(tool.clone(), parse(stage.placed(&json).as_bytes()).unwrap())
        }
        (None, Some(tool), None, Some(json)) => match parse(stage.placed(json).as_bytes()) {
            Ok(input) => CallText::Tool(tool.clone(), input),
            // What cannot be read for sure is refused before anybody judges it.
            Err(_) => return Verdict::Deny,
        },
        _ => panic!("a call is a command, or a tool with its arguments"),
    };
    let cwd = setup.cwd.as_deref().map_or_else(|| stage.at("@/w"), |cwd| stage.at(cwd));
    let runtime = match setup.runtime.as_deref() {
        Some("codex") => Runtime::Codex,
        _ => Runtime::Claude,
    };
    let around = Circumstances { runtime, ..Circumstances::plain(abs(&cwd)) };
    decide(policy, &facts_of(&text, &around, &policy.tools, place), &REDACTOR).verdict
}

#[test]
fn every_known_way_is_closed_and_what_looks_like_it_is_not() {
    let cases = cases();
    assert!(cases.len() >= CASES, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    let mut honest = 0;
    for (name, case) in &cases {
        assert!(!case.source.is_empty() && !case.why.is_empty() && !case.attack.is_empty());
        let setup = &case.setup;
        let stage = Stage::of(setup);
        let home = abs(&stage.at("@/home"));
        let workspace = stage.at("@/w");
        let world: Arc<dyn World> = match setup.world.as_deref() {
            None | Some("same") => Arc::new(Same { home: Some(home.clone()), path: None }),
            Some("mounted") => {
                Arc::new(Mounted { mounts: vec![abs(&workspace)], home: Some(home.clone()) })
            }
            Some("client") => Arc::new(Reported::default()),
            Some(other) => panic!("{name}: no world is called {other}"),
        };
        let stated = setup.workspace.as_deref().map(|stated| stage.at(stated));
        let files = PolicyFiles { workspace: stated.clone(), ..PolicyFiles::default() };
        let real = stated.map_or(workspace, |stated| stated.canonicalize().unwrap());
        let (workspace, tmp) = (abs(&real), abs(&stage.at("@/tmp")));
        let anchors = Anchors {
            workspace: workspace.clone(),
            home: Some(home),
            tmp: tmp.clone(),
            aliases: Vec::new(),
        };
        let anchors = with_other_names(anchors, &files, world.as_ref());
        let world = Pinned::over(world, &workspace);
        let policy = policy(&stage, setup, &anchors);
        for (from, to) in &setup.moved {
            std::fs::rename(stage.at(from), stage.at(to)).unwrap();
        }
        let place = Place { world: world.as_ref(), workspace: &workspace, tmp: &tmp };
        honest += case.honest.len();
        for (calls, usual) in [(&case.attack, "deny"), (&case.honest, "allow")] {
            for call in calls {
                let expected = call.expect.as_deref().unwrap_or(usual);
                let came = verdict(call, &stage, setup, &policy, &place);
                let held = matches!(came, Verdict::Ask | Verdict::Deny);
                if !(came.to_string() == expected || (expected == "held" && held)) {
                    let text = call.bash.as_deref().or(call.json.as_deref()).unwrap_or_default();
                    let args = call.args.as_ref().map(ToString::to_string).unwrap_or_default();
                    wrong.push(format!("{name}: {text}{args} is {came}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(honest * 3 >= cases.len() * 2, "only {honest} honest calls");
}

/// Every class that is known has a case.
#[test]
fn no_class_is_missing() {
    let known: BTreeSet<String> = cases().into_iter().map(|(_, case)| case.class).collect();
    for class in [
        "dotdot",
        "dotdot after a link",
        "link",
        "dangling link",
        "parent link",
        "missing directory",
        "hard link",
        "swap",
        "magic link",
        "prefix",
        "slashes and dots",
        "case",
        "trailing dot or blank",
        "unicode",
        "percent and URL",
        "control character",
        "home and variables",
        "relative after cd",
        "mounts",
        "glob",
        "overlong",
        "text encoding",
        "foreign system",
        "JSON",
        "tool name",
        "several paths",
        "git directory",
        "persistence",
        "command",
    ] {
        assert!(known.contains(class), "no case of `{class}`");
    }
}
