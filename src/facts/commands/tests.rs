//! The tables `tests/cases/commands/*.toml`: a text, and everything it would do.

use super::{read, read_argv};
use crate::facts::Place;
use crate::limits::SHELL_BYTES_MAX;
use crate::model::access::{Access, Certainty, Status, Target, Verb};
use crate::model::path::{AbsPath, Extent, Real};
use crate::world::Frozen;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Table {
    files: Vec<String>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    text: String,
    #[serde(default)]
    does: Vec<String>,
}

fn path(text: &str) -> AbsPath {
    AbsPath::parse(text).unwrap()
}

fn accesses(text: &str, files: &[AbsPath]) -> Vec<Access> {
    let world = Frozen::with_files(files);
    let (workspace, tmp) = (path("/work"), path("/tmp"));
    let place = Place { world: &world, workspace: &workspace, tmp: &tmp };
    let mut all = Vec::new();
    read(text, Some(&workspace), &place, &mut all);
    all
}

/// `read /x`, `write? /x` for a possible one, `read~ /x` for a suspected one; an exec shows what
/// feeds it as `<0,1`, its doubts as `!`, and `^` if it is transparent; a path that a link leads
/// elsewhere shows where, or `?`, after `=`.
fn render(access: &Access) -> String {
    let sure = match access.certainty {
        Certainty::Certain => "",
        Certainty::Possible(_) => "?",
        Certainty::Suspected(_) => "~",
    };
    let verb = access.target.verb();
    let more = match &access.target {
        Target::Exec(command) => {
            let fed: Vec<String> = command.fed_by.iter().map(ToString::to_string).collect();
            let fed = if fed.is_empty() { String::new() } else { format!(" <{}", fed.join(",")) };
            let doubts = if command.doubts.is_empty() { "" } else { " !" };
            format!("{fed}{doubts}{}", if command.transparent { " ^" } else { "" })
        }
        Target::Read(target) | Target::Write(target) => {
            let real = match &target.real {
                Real::At(real) if *real == target.written => String::new(),
                Real::At(real) => format!(" = {real}"),
                Real::Unknown(_) => " = ?".to_owned(),
            };
            let extent = match &target.extent {
                Extent::Itself => String::new(),
                Extent::Below(paths) | Extent::Seen(paths) => {
                    let all: Vec<&str> = paths.iter().map(AbsPath::as_str).collect();
                    format!(" > {}", all.join(" "))
                }
                Extent::BelowUnknown(_) => " > ?".to_owned(),
                Extent::Fitting(pattern) => format!(" / {pattern}"),
            };
            real + &extent
        }
        Target::Unknown { .. } => return format!("{verb}{sure} ?"),
        Target::Connect(_) | Target::Call(_) => String::new(),
    };
    format!("{verb}{sure} {}{more}", access.target)
}

#[test]
fn every_text_does_what_the_table_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/commands");
    let tables = ["read", "code"].map(|name| Path::new(folder).join(name).with_extension("toml"));
    let mut wrong = String::new();
    let mut count = 0;
    for file in tables {
        let table: Table = toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let files: Vec<AbsPath> = table.files.iter().map(|file| path(file)).collect();
        for case in &table.case {
            let got: Vec<String> = accesses(&case.text, &files).iter().map(render).collect();
            count += 1;
            if got != case.does {
                wrong += &format!(
                    "[[case]]\ntext = {:?}\ndoes = {:?}\n# not {:?}\n\n",
                    case.text, got, case.does
                );
            }
        }
    }
    assert!(count > 500, "only {count} cases were found");
    assert!(wrong.is_empty(), "{wrong}");
}

fn table() -> Table {
    toml::from_str(include_str!("../../../tests/cases/commands/read.toml")).unwrap()
}

/// Each row of the catalogue has commands with all they do, in the same world.
#[test]
fn every_example_of_the_catalogue_does_what_its_row_says() {
    let files: Vec<AbsPath> = table().files.iter().map(|file| path(file)).collect();
    let mut wrong = String::new();
    let all = crate::catalogue::program::tests::examples();
    for (program, run, does) in &all {
        let got: Vec<String> = accesses(run, &files).iter().map(render).collect();
        if got != *does {
            wrong += &format!("# {program}\n  {{ run = {run:?}, does = {got:?} }},\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Whether the call's exit status is that of the last `cargo test` of the text.
#[test]
fn what_may_not_have_run_has_no_exit_status() {
    for (text, hidden) in [
        ("cargo test", false),
        ("true; cargo test", false),
        ("f() { return 0; }; f; cargo test", false),
        ("(exit 0); cargo test", false),
        ("x=$(exit 0); cargo test", false),
        ("bash -c 'exit 0'; cargo test", false),
        ("cd src && cargo test", false),
        ("bash -c 'cargo test'", false),
        ("cargo test && exit 0", false),
        ("exit 0; cargo test", true),
        ("[ -f a ] && exit 0; cargo test", true),
        ("[ -f a ] || exit 0; cargo test", true),
        ("exec true; cargo test", true),
        ("f() { exit 0; }; f; cargo test", true),
        ("f() { return 0; cargo test; }; f", true),
        ("return 0; cargo test", true),
        ("eval exit && cargo test", true),
        ("eval \"$X\"; cargo test", true),
        (". ./x && cargo test", true),
        ("$X; cargo test", true),
        ("command exit; cargo test", true),
        ("if true; then exit 0; fi; cargo test", true),
        ("{ exit 0; }; cargo test", true),
        ("set -n; cargo test", true),
        ("set -o noexec; cargo test", true),
        ("bash -nc 'cargo test'", true),
        ("bash -o noexec -c 'cargo test'", true),
    ] {
        let mut statuses =
            accesses(text, &[]).into_iter().filter_map(|access| match access.target {
                Target::Exec(command) if command.program.word.as_known() == Some("cargo") => {
                    Some(command.status)
                }
                _ => None,
            });
        let last = statuses.next_back().unwrap_or_else(|| panic!("{text} runs no cargo"));
        assert_eq!(last == Status::Hidden, hidden, "{text}");
    }
}

#[test]
fn the_worst_texts_end_soon() {
    let half = SHELL_BYTES_MAX / 2;
    for text in [
        "true && ".repeat(half / 8) + "true",
        "{a,b}".repeat(half / 5),
        "for i in {1..200}; do ".repeat(20) + "rm $i;" + &"done;".repeat(20),
        "$(".repeat(90) + "ls" + &")".repeat(90),
        "$(".repeat(80) + "ls" + &")".repeat(80),
        "{ ".repeat(48) + "ls;" + &"};".repeat(48),
        "( ".repeat(95) + "ls" + &")".repeat(95),
        "if a;then ".repeat(95) + "ls" + &";fi".repeat(95),
        (0..400).map(|n| format!("f{n}() {{ f{}; }};", n + 1)).collect::<String>() + "f0",
        "sh -c '".repeat(50),
        "x=$x$x;".repeat(half / 7),
        "x=a; ".to_owned() + &"x=$x$x; ".repeat(40) + "cat $x",
        "x=a; ".to_owned() + &"x+=$x; ".repeat(40) + "cat $x",
        "x=a; ".to_owned() + &"x=$x$x; ".repeat(16) + &"y=$x; ls; ".repeat(1900) + "cat $y",
        "x=a; ".to_owned()
            + &"x=$x$x; ".repeat(15)
            + &(0..1900).map(|n| format!("y{n}=$x ls; ")).collect::<String>(),
        "a() { a; a; }; b() { a; a; b; b; }; c() { b; b; c; }; c; c".to_owned(),
        "cd a; ".repeat(500) + "cat x",
        "*/".repeat(1000),
    ] {
        let start = std::time::Instant::now();
        accesses(&text, &[path("/work/a/b")]);
        assert!(start.elapsed().as_secs() < 10, "{:?} {:.30}", start.elapsed(), text);
    }
}

#[test]
fn a_text_over_a_limit_is_an_unknown_access_of_every_verb() {
    let long = "a".repeat(SHELL_BYTES_MAX + 1);
    let deep = "$(".repeat(200);
    let many = "a;".repeat(3_000);
    for text in [long.as_str(), deep.as_str(), many.as_str(), "echo \u{202e}", "a\0b"] {
        let all = accesses(text, &[]);
        for verb in [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect] {
            let unknown = |access: &Access| matches!(access.target, Target::Unknown { verb: other, .. } if other == verb);
            assert!(all.iter().any(unknown), "{verb} {:.20}", text);
        }
    }
}

#[test]
fn an_argv_has_no_shell_unless_it_names_one() {
    let world = Frozen::default();
    let (workspace, tmp) = (path("/work"), path("/tmp"));
    let place = Place { world: &world, workspace: &workspace, tmp: &tmp };
    for (argv, expected) in [
        (vec!["echo", "$(sudo ls)"], vec!["exec echo $(sudo ls)"]),
        (
            vec!["bash", "-lc", "cat .env"],
            vec!["exec bash -l -c cat .env ^", "exec cat .env", "read /work/.env"],
        ),
        (vec!["cat", "*"], vec!["exec cat *", "read /work/*"]),
        (vec![], vec!["read ?", "write ?", "exec ?", "connect ?"]),
    ] {
        let argv: Vec<String> = argv.into_iter().map(str::to_owned).collect();
        let mut all = Vec::new();
        read_argv(&argv, Some(&workspace), &place, &mut all);
        assert_eq!(all.iter().map(render).collect::<Vec<_>>(), expected, "{argv:?}");
    }
}

#[test]
fn indexes_of_feeders_are_those_of_the_whole_call() {
    let world = Frozen::default();
    let (workspace, tmp) = (path("/work"), path("/tmp"));
    let place = Place { world: &world, workspace: &workspace, tmp: &tmp };
    let mut all = vec![Access::unknown(Verb::Call, crate::model::doubt::Doubt::NoWorld)];
    read("curl https://h.example/x | sh", Some(&workspace), &place, &mut all);
    let fed = all.iter().filter_map(|access| match &access.target {
        Target::Exec(command) => Some(command.fed_by.clone()),
        _ => None,
    });
    assert_eq!(fed.collect::<Vec<_>>(), [vec![], vec![1]]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        accesses(&text, &[]);
    }

    #[test]
    fn no_shell_like_text_panics(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "$(", ")", "`", "'", "\"", "${x", "}", "{a,b}", " ", ";", "|", "&&", "||", "<<E\n",
                "E\n", "sh -c ", "eval ", "cat ", "/x", "*", "~", "$x", "=", "x=1 ", "find . -exec ",
                "\\;", "xargs ", "if a; then ", "fi", "for i in ", "do ", "done", "<(", ">", "2>&1",
                "((", "))", "[[ ", " ]]", "\\", "\n", "git ", "-C ", "sed -i ", "s/a/b/", "é", "curl ",
            ]),
            0..24,
        )
    ) {
        accesses(&parts.concat(), &[]);
    }
}

/// Every way in which a shell's grammar nests, on a thread's usual stack: an overflow would abort.
#[test]
fn what_nests_without_end_is_a_limit() {
    let shapes: [(&str, &str, &str); 26] = [
        ("(", "ls", ")"),
        ("( ", "ls", " )"),
        ("{ ", "ls", ";}"),
        ("$(", "ls", ")"),
        ("echo $(", "ls", ")"),
        ("\"$(", "ls", ")\""),
        ("<(", "ls", ")"),
        ("[[ ", "a", " ]]"),
        ("[[ ( ", "a", " ) ]]"),
        ("if ", "a", "; then b; fi"),
        ("if a; then ", "b", "; fi"),
        ("if a; then b; else ", "c", "; fi"),
        ("while ", "a", "; do b; done"),
        ("for i in a; do ", "b", "; done"),
        ("case a in b) ", "c", ";; esac"),
        ("! ", "ls", ""),
        ("time ", "ls", ""),
        ("f() { ", "ls", "; }"),
        ("ls && ", "ls", ""),
        ("ls | ", "ls", ""),
        ("$((", "1", "))"),
        ("${x:-", "a", "}"),
        ("a[", "1", "]=1"),
        ("coproc ", "ls", ""),
        ("cat <<E\n$(", "ls", ")\nE\n"),
        ("x=$(( -", "1", " ))"),
    ];
    let read = move || {
        for (open, inner, close) in shapes {
            let mut all = Vec::new();
            for times in [8, 23, 60, 99, 500, 3_000] {
                let text = open.repeat(times) + inner + &close.repeat(times);
                all = accesses(&text, &[]);
            }
            let unknown = |access: &Access| matches!(access.target, Target::Unknown { .. });
            assert!(all.iter().any(unknown), "{open}");
        }
        for op in ["-", "+", "!", "~", "1+", "1?", "x=", "1,", "(", "2**"] {
            for times in [10, 90, 1_000, 20_000] {
                accesses(&format!("echo $(({}1))", op.repeat(times)), &[]);
                accesses(&format!("[[ {} ]]", format!("! {op} && ").repeat(times)), &[]);
            }
        }
    };
    let stack = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    stack.spawn(read).unwrap().join().unwrap();
}

#[test]
fn behind_set_e_every_command_of_a_plain_list_has_a_say() {
    for (text, status) in [
        ("set -e; cargo test; cargo fmt", Status::Chained),
        ("set -euo pipefail\ncargo test\nls", Status::Chained),
        ("set -o errexit; cargo test; ls", Status::Chained),
        ("set -eo pipefail; cargo test", Status::Chained),
        ("cargo test; cargo fmt", Status::Hidden),
        ("set -e; set +e; cargo test; ls", Status::Hidden),
        ("if x; then set -e; fi; cargo test; ls", Status::Hidden),
        ("set -e; cargo test || true; ls", Status::Hidden),
        ("set -e; if cargo test; then ls; fi", Status::Hidden),
        ("set -e; { cargo test; ls; } && ls", Status::Hidden),
        ("set -e; cargo test | tail; ls", Status::Hidden),
        ("set -u; cargo test; ls", Status::Hidden),
    ] {
        let found = accesses(text, &[]).into_iter().find_map(|access| match access.target {
            Target::Exec(command) if command.program.word.as_known() == Some("cargo") => {
                Some(command.status)
            }
            _ => None,
        });
        assert_eq!(found, Some(status), "{text}");
    }
}
