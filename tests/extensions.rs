//! What extends a runtime is written only where it is seen to hold no command of its own, and what
//! starts programs is never an agent's to write (invariant 8).
#![cfg(test)]

#[path = "harness/cases.rs"]
mod cases;

use cases::{Cases, loads, source, tests, with_tests};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::LazyLock;
use toolgate::author::call::{Circumstances, facts_of};
use toolgate::engine::decide;
use toolgate::facts::Place;
use toolgate::model::effect::Verdict;
use toolgate::model::path::AbsPath;
use toolgate::policy::document::CallText;
use toolgate::policy::rule::Policy;
use toolgate::redact::Redactor;
use toolgate::world::{Same, World};

const EVERYTHING: &str = r#"
schema = 1

[policy]
name    = "everything"
default = "defer"

[read]
allow = ["**"]

[write]
allow = ["**"]

[exec]
allow = ["**"]

[connect]
allow = ["**"]

[call]
allow = ["**"]
"#;

#[test]
fn an_agent_writes_itself_no_code_that_no_hook_sees() {
    let Cases { files, group } = toml::from_str(include_str!("cases/extensions.toml")).unwrap();
    let tests = tests(&group, &files);
    let text = with_tests(EVERYTHING, &tests);
    let held = loads(&[source("the policy and the cases", &text, None)]).held();
    assert!(held >= tests.len(), "only {held} calls were judged");
}

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());
static POLICY: LazyLock<Policy> =
    LazyLock::new(|| loads(&[source("the policy", EVERYTHING, None)]).policy.unwrap());

fn abs(path: &Path) -> AbsPath {
    AbsPath::parse(path.to_str().unwrap()).unwrap()
}

fn verdict(world: &dyn World, work: &Path, tool: &str, input: &Value) -> Verdict {
    let (workspace, tmp) = (abs(work), AbsPath::parse("/tmp").unwrap());
    let place = Place { world, workspace: &workspace, tmp: &tmp };
    let call = CallText::Tool(tool.to_owned(), input.clone());
    let facts = facts_of(&call, &Circumstances::plain(workspace.clone()), &[], &place);
    decide(&POLICY, &facts, &REDACTOR).verdict
}

/// Old and new.
type Edit = (&'static str, &'static str);

/// The text of a command, edits of it, and whether they pass.
const EDITS: &[(&str, &[Edit], bool)] = &[
    ("Run the tests.\n", &[("tests", "checks")], true),
    ("Run the tests.\n", &[("tests", "!`touch x`")], false),
    // What was completed from parts that are each harmless.
    ("Now X`touch x`\n", &[("X", "!")], false),
    ("Now !X\n", &[("X", "`touch x`")], false),
    ("---\nname: a\nhoox: {}\n---\n", &[("x", "ks")], false),
    ("# Title\nhooks: {}\n", &[("# Title", "---")], false),
    ("---\nname: a\n---\nhooks: {}\n", &[("a\n---", "a")], false),
    ("Run X.\n", &[("X", "!Y"), ("Y", "`x`")], false),
    ("Run X.\n", &[("X", "!Y"), ("!Y", "y")], true),
    // What a person put there stays theirs.
    ("Status: !`git status`\nThen fix it.\n", &[("fix", "mend")], true),
    ("Status: !`git status`\nThen fix it.\n", &[("Status: !`git status`\n", "")], true),
    ("Status: !`git status`\nThen fix it.\n", &[("git status", "touch x")], false),
    ("---\nname: a\nhooks: {}\n---\nHello.\n", &[("Hello", "Bye")], true),
    ("---\nname: a\nhooks: {}\n---\nHello.\n", &[("{}", "{PreToolUse: []}")], false),
    // Line ends as the client reads them.
    ("a\r\nb\r\n", &[("a\nb", "c")], true),
    // An edit that the client would refuse, or make in another way.
    ("a a\n", &[("a", "b")], false),
    ("a\n", &[("", "b")], false),
    ("", &[("", "b")], true),
];

#[test]
fn an_edit_is_judged_by_what_the_file_holds_then() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let work = scratch.path().canonicalize().unwrap();
    let commands = work.join(".claude/commands");
    std::fs::create_dir_all(&commands).unwrap();
    symlink(&commands, work.join("linked")).unwrap();
    let file = commands.join("a.md");
    symlink(&file, work.join("b.md")).unwrap();
    let world = Same { home: None, path: None };
    for (text, edits, passes) in EDITS {
        std::fs::write(&file, text).unwrap();
        let expected = if *passes { Verdict::Allow } else { Verdict::Deny };
        let list: Vec<Value> = edits
            .iter()
            .map(|(old, new)| json!({ "old_string": old, "new_string": new }))
            .collect();
        for path in [file.clone(), work.join("linked/a.md"), work.join("b.md")] {
            let all = json!({ "file_path": path, "edits": list });
            assert_eq!(verdict(&world, &work, "MultiEdit", &all), expected, "{text:?} {edits:?}");
            if let [(old, new)] = edits {
                let one = json!({ "file_path": path, "old_string": old, "new_string": new });
                assert_eq!(verdict(&world, &work, "Edit", &one), expected, "{text:?} {edits:?}");
            }
        }
    }
    std::fs::write(&file, "a a\n").unwrap();
    let one = json!({ "file_path": file, "old_string": "a", "new_string": "b" });
    let edit = |all: Value| {
        let mut edit = one.clone();
        edit["replace_all"] = all;
        edit
    };
    assert_eq!(verdict(&world, &work, "Edit", &edit(json!(true))), Verdict::Allow);
    assert_eq!(verdict(&world, &work, "Edit", &edit(json!("true"))), Verdict::Deny);
    let absent = json!({ "file_path": "a.txt", "old_string": "!", "new_string": "!`x`" });
    assert_eq!(verdict(&world, &work, "Edit", &absent), Verdict::Allow, "no extension");
}

#[test]
fn a_link_or_a_large_file_is_no_way_round() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let work = scratch.path().canonicalize().unwrap();
    let skills = work.join(".claude/skills");
    std::fs::create_dir_all(skills.join("own")).unwrap();
    symlink(&skills, work.join("linked")).unwrap();
    let world = Same { home: None, path: None };
    let ask = |tool: &str, input: Value| verdict(&world, &work, tool, &input);
    let write = |path: &str, content: &str| {
        ask("Write", json!({ "file_path": work.join(path), "content": content }))
    };
    let shell = |command: &str| ask("Bash", json!({ "command": command }));
    assert_eq!(write("linked/own/SKILL.md", "!`x`"), Verdict::Deny);
    assert_eq!(write("linked/own/../own/SKILL.md", "!`x`"), Verdict::Deny);
    assert_eq!(write("linked/own/SKILL.md", "Say hello."), Verdict::Allow);
    assert_eq!(shell("echo x > linked/own/SKILL.md"), Verdict::Deny);
    assert_eq!(shell("cd linked/own && echo x > SKILL.md"), Verdict::Deny);
    assert_eq!(shell("ln -s .claude/skills there && echo x > there/a/SKILL.md"), Verdict::Deny);
    assert_eq!(shell("mkdir -p linked/other"), Verdict::Allow);
    // What was there may be kept, and only that; a file too large to be read keeps nothing.
    std::fs::write(skills.join("own/SKILL.md"), "Now: !`git log`").unwrap();
    assert_eq!(write("linked/own/SKILL.md", "See !`git log` first."), Verdict::Allow);
    assert_eq!(write("linked/own/SKILL.md", "See !`git log; touch x`."), Verdict::Deny);
    let large = format!("Now: !`git log`{}", " ".repeat(1 << 20));
    std::fs::write(skills.join("own/SKILL.md"), large).unwrap();
    assert_eq!(write("linked/own/SKILL.md", "See !`git log` first."), Verdict::Deny);
    let edit =
        json!({ "file_path": skills.join("own/SKILL.md"), "old_string": "Now", "new_string": "y" });
    assert_eq!(ask("Edit", edit), Verdict::Deny);
}
