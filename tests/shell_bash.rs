//! bash itself as the oracle of word splitting: where `shell::expand` says what a word becomes, bash
//! must make the same of it.
//!
//! bash runs with nothing to harm: restricted, no program on its `PATH`, an empty directory, no
//! environment but what the words speak of. The words are made of pieces that only expand.
#![cfg(test)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};
use toolgate::model::word::Word;
use toolgate::shell::expand::{self, Known};
use toolgate::shell::ir::Node;
use toolgate::shell::vars::{Value, Vars};

/// Variables that the text has set, for both. `u` is not set.
const SET: [(&str, &str); 9] = [
    ("x", "v w"),
    ("e", ""),
    ("g", "a*?[z]"),
    ("s", " a  b "),
    ("n", "a\nb\tc"),
    ("t", "~"),
    ("b", "{p,q}"),
    ("o", "one"),
    ("q", "'\"\\"),
];

/// Prints how many words there are, and each, for every text; nothing where bash refuses it.
const SCRIPT: &str = r#"
f() { printf '%s\0' "$#" "$@"; }
texts=("$@"); set --
for text in "${texts[@]}"; do printf '\1next\0'; ( eval "f $text" ); done
"#;

/// What bash makes of the words of each text; nothing where it refuses the text.
fn bash(texts: &[String]) -> Vec<Option<Vec<String>>> {
    let directory = tempfile::tempdir().unwrap();
    // It is looked for before the child has no `PATH` any more.
    let path = std::env::var_os("PATH").unwrap();
    let all = std::env::split_paths(&path).map(|directory| directory.join("bash"));
    let mut command = Command::new(all.into_iter().find(|file| file.is_file()).expect("bash"));
    command.env_clear().env("PATH", "").env("HOME", "/home/agent").env("LC_ALL", "C.UTF-8");
    command.args(["--norc", "--noprofile", "-r", "-c"]);
    let set = SET.iter().fold(String::new(), |text, (name, value)| {
        text + &format!("{name}='{}'\n", value.replace('\'', r"'\''"))
    });
    command.arg(set + SCRIPT).arg("bash").args(texts).current_dir(directory.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("bash is there");
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    child.wait().unwrap();
    let here = directory.path().to_str().unwrap();
    let out = String::from_utf8(out).unwrap().replace(here, "/work");
    let told: Vec<Option<Vec<String>>> = out
        .split("\u{1}next\0")
        .skip(1)
        .map(|told| {
            let (count, words) = told.split_once('\0')?;
            let words: Vec<String> = words.split_terminator('\0').map(str::to_owned).collect();
            // Two commands, or half of one: no words of the text alone.
            (words.len().to_string() == count).then_some(words)
        })
        .collect();
    assert_eq!(told.len(), texts.len());
    told
}

/// What we make of them; nothing where not every word is known.
fn ours(text: &str) -> Option<Vec<String>> {
    let script = toolgate::shell::parse(&format!("f {text}"), 0).ok()?;
    let mut vars = Vars::default();
    for (name, value) in SET {
        vars.set(name, Value::Texts(vec![value.to_owned()]));
    }
    let (redefined, made) = (BTreeSet::new(), Cell::new(0));
    let known = Known {
        vars: &vars,
        home: Some("/home/agent"),
        directory: Some("/work"),
        redefined: &redefined,
        made: &made,
    };
    let [Node::Simple(simple)] = script.nodes.as_slice() else { return None };
    let words = simple.words.iter().skip(1).flat_map(|word| expand::fields(word, known));
    words.map(|word: Word| word.as_known().map(str::to_owned)).collect()
}

/// How many of the texts we knew; the differences are told, the shortest first.
fn compare(texts: &[String]) -> Result<usize, String> {
    let mut known = 0;
    let mut wrong = Vec::new();
    for (text, bash) in texts.iter().zip(bash(texts)) {
        // What bash refuses runs nothing, whatever is read into it.
        let (Some(ours), Some(bash)) = (ours(text), bash) else { continue };
        known += 1;
        if ours != bash {
            wrong.push(format!("{text:?}\n  ours {ours:?}\n  bash {bash:?}\n"));
        }
    }
    wrong.sort_by_key(String::len);
    wrong.truncate(12);
    if wrong.is_empty() { Ok(known) } else { Err(wrong.concat()) }
}

#[test]
fn words_by_hand_are_what_bash_makes_of_them() {
    let texts: Vec<String> = BY_HAND.iter().map(|text| (*text).to_owned()).collect();
    let mut wrong = String::new();
    for (text, bash) in texts.iter().zip(bash(&texts)) {
        match (ours(text), bash) {
            (Some(ours), Some(bash)) if ours == bash => {}
            (ours, bash) => wrong += &format!("{text:?}\n  ours {ours:?}\n  bash {bash:?}\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Of these every word is known.
const BY_HAND: &[&str] = &[
    r"a\ b",
    r#"a"b c"'d e'"#,
    r#""a\"b\$c\`d\\e\f""#,
    r"'a\b'",
    "\"a\\\nb\"",
    "'a\\\nb'",
    r"$'a\tb\n'",
    r"$'\x41\102\u0043\U00000044'",
    r"$'\e[0m'",
    r"$'it\'s'",
    r"$''",
    r"$'a'b$'c'",
    r#""$'a'""#,
    r#""""#,
    "''",
    r#"a"""#,
    "$x",
    "\"$x\"",
    "a$x",
    "${x}b",
    "$e",
    "\"$e\"",
    "a $e b",
    "$e$e",
    "$e''",
    "x$e",
    "$s",
    "a${s}b",
    "\"$s\"",
    "$n",
    "\"$g\"",
    "$t",
    "$t/x",
    "$b",
    "\"$q\"",
    "$q",
    "$o$o",
    "'$x'",
    r"\$x",
    r"\\$o",
    "$",
    "a$",
    "\"$\"",
    "$ a",
    "~",
    "~/x",
    "a~",
    "\"~\"",
    r"\~",
    "'~'/x",
    "a=~",
    "x=~/y",
    "{a,b}",
    "{a,b}{c,d}",
    "x{a,b}y",
    "{a,{b,c}}",
    "{a}",
    "{}",
    "{,}",
    "a{,b}",
    "{a,b",
    "{a b,c}",
    "{'a b',c}",
    "{\"a\",b}",
    r"\{a,b}",
    r"{a\,b,c}",
    "\"{a,b}\"",
    "{1..3}",
    "{3..1}",
    "{-1..1}",
    "{a..c}",
    "{c..a}",
    "{1..1}",
    "x{1..2}y{a,b}",
    "{{1..2},x}",
    "{a,b}$o",
    "{$o,b}",
    "{~,b}",
    "${u:-a}",
    "${u-a b}",
    "\"${u:-a b}\"",
    "${u:-\"a b\"}",
    "${u:-$o}",
    "${o:-a}",
    "a${u:-b}c",
    "\"${u:-}\"",
    "$(echo a b)",
    "\"$(echo a b)\"",
    "$(echo 'a  b')",
    "\"$(echo 'a  b')\"",
    "$(printf '%s-%s' a b)",
    "`echo a`",
    "x$(echo a)y",
    "\"$(echo)\"",
    "$(echo)",
    "\"$(printf 'a\\n\\n')\"",
    "a#b",
    "a # b",
    "'#'",
    "\"a\"#b",
    "é",
    "a\u{a0}b",
    "a\tb",
    "a  b",
    r"\a\b",
    r"\-\-",
    "-- -n",
    "!",
    "a!b",
    "^a",
    "a]",
    "%",
    "@",
    "+",
    "=",
    "a=b",
    "$HOME",
    "$HOME/x",
    "\"$HOME\"/x",
    "$PWD",
    "~+",
    "~+/x",
    r"\*",
    "'*'",
    "\"?\"",
    r"a\[b",
    "\"$g\"\\*",
    "]\"a b\"a",
    "{b..a}'*'",
    "{a b,c}",
    "n=a:b",
    "x]'a b'y \"c\"]d",
];

/// Pieces that only expand.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "b-",
        "/",
        "=",
        ":",
        "~",
        "{",
        "}",
        ",",
        "..",
        "1",
        "3",
        "{a,b}",
        "{1..3}",
        "{b..a}",
        "'x y'",
        "'$x'",
        "'\\'",
        "\"a b\"",
        "\"$x\"",
        "\"${x}\"",
        "\"$s\"",
        "\"$e\"",
        "\"$g\"",
        "\"$q\"",
        "$x",
        "${x}",
        "$e",
        "$s",
        "$n",
        "$g",
        "$t",
        "$b",
        "$o",
        "$q",
        "${u:-q r}",
        "${u-\"q r\"}",
        "\"${u:-q r}\"",
        "\"${u:-'q'}\"",
        "\"${u:-\"q\"}\"",
        "${u:-}",
        "${x:-z}",
        "${e:-z}",
        "${e-z}",
        "${u:-$x}",
        "${u:-{a,b}}",
        "${u:-~}",
        "${u:-\\}}",
        "${o#o}",
        "${#x}",
        "${x:0:1}",
        "$((1+2))",
        "\"\"",
        "''",
        "\\ ",
        "\\n",
        "\\\\",
        "\\$",
        "\\\"",
        "\\'",
        "\\~",
        "\\{",
        "\\,",
        "\\}",
        "\\*",
        "'*'",
        "\"?\"",
        "*",
        "?",
        "[",
        "]",
        "\"\\n\\$\\\\\\\"\\`\"",
        "$'a\\tb'",
        "$'\\x41'",
        "$'\\101'",
        "$'\\u00e9'",
        "$'\\''",
        "$''",
        "$'\\cA'",
        "$'\\q'",
        "\\\n",
        "\"a\\\nb\"",
        "'a\\\nb'",
        "$(echo q r)",
        "\"$(echo q  r)\"",
        "$(printf '%s' 'a*b')",
        "\"$(printf 'a\\n')\"",
        "`echo a`",
        "\"`echo \\\"a\\\"`\"",
        "$(echo $x)",
        "$(echo \"$s\")",
        "$HOME",
        "$PWD",
        "~/",
        "~+",
        "~-",
        "x=~",
        ":~",
        "#",
        " #",
        "%",
        "!",
        "^",
        "+",
        "@",
        "$",
        " ",
        " ",
        " ",
        "\t",
        "\u{a0}",
        "é",
        "$\"l\"",
        "-",
        ".",
        "n=",
        "$1",
        "$@",
        "\"$@\"",
        "$*",
        "$#",
        "\"$*\"",
    ];
    prop::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 1..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 0, failure_persistence: None, rng_seed: RngSeed::Fixed(3), ..Default::default() })]

    #[test]
    fn words_are_what_bash_makes_of_them(texts in prop::collection::vec(text(), 200)) {
        let known = compare(&texts).map_err(TestCaseError::fail)?;
        prop_assert!(known > 20 || texts.len() < 200, "only {known} of them are known");
    }
}
