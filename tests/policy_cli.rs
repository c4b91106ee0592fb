//! `toolgate policy check`, `fmt` and `schema` as their users meet them: what they print, what they
//! write, and how they end.
#![cfg(test)]

use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const GOOD: &str = "schema = 1\n\n[policy]\nname = \"good\"\n";
const BAD: &str = "schema = 1 # the first\n\n[policy]\nname   =  \"bad\" # kept\n\
                   versoin = '1'\ndefault = \"dney\"\n";

fn toolgate(directory: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_toolgate"))
        .arg("policy")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn text(directory: &TempDir, name: &str) -> String {
    std::fs::read_to_string(directory.path().join(name)).unwrap()
}

fn shown(output: &Output) -> String {
    let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}", of(&output.stdout), of(&output.stderr))
}

#[test]
fn check_ends_as_the_page_says() {
    let there =
        directory(&[("good.toml", GOOD), ("bad.toml", BAD), ("raw.toml", "a = \"\x1b[2J\"")]);
    for name in ["empty", "whole"] {
        std::fs::create_dir(there.path().join(name)).unwrap();
    }
    std::fs::write(there.path().join("whole/good.toml"), GOOD).unwrap();
    for (arguments, code, says) in [
        (&["check"][..], 0, "default@1"),
        (&["check", "good.toml"], 0, "good: "),
        (&["check", "bad.toml", "good.toml"], 1, "error[P003]"),
        (&["check", "raw.toml"], 1, "error[P001]"),
        (&["check", "none.toml", "bad.toml"], 2, "error[P003]"),
        (&["check", "none.toml", "bad.toml"], 2, "`none.toml` cannot be read"),
        (&["check", "empty", "good.toml"], 2, "`empty` cannot be read"),
        (&["check", "whole"], 0, "good: "),
        (&["fmt", "--check", "whole"], 0, ""),
        (&["check", "--format", "xml"], 2, "invalid value"),
        (&["check", "--fix"], 2, "--fix"),
        (&["check", "--fix", "-"], 2, "standard input"),
        (&["check", "-"], 1, "error[P002]"),
        (&["fmt"], 2, "FILES"),
    ] {
        let output = toolgate(there.path(), arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
        assert!(shown(&output).contains(says), "{arguments:?}: {}", shown(&output));
        assert!(!shown(&output).contains('\x1b'), "{arguments:?}: {}", shown(&output));
    }
    assert_eq!(text(&there, "bad.toml"), BAD);
    // A lower file that is refused by itself is a finding, though the rest would be in force.
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/diagnostics");
    let both = ["check", "P017-against-above.toml", "P017-against-above.also.toml"];
    let output = toolgate(&cases, &both, "");
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(shown(&output).contains("a file is refused"), "{}", shown(&output));
    let output = toolgate(there.path(), &["check", "-"], GOOD);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let there = directory(&[("large.toml", &format!("{GOOD}#{}\n", "x".repeat(8 << 20)))]);
    let output = toolgate(there.path(), &["check", "large.toml"], "");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("larger than 8 MiB"), "{}", shown(&output));
}

/// An allow that has ended, with an example and a test of what it allowed.
const ENDED: &str = "\
schema = 1

[policy]
name    = \"ended\"
default = \"deny\"

[call]
allow = [\"$transparent\"]

[[rule]]
id    = \"visitor\"
allow = \"read\"
match = [\"/srv/visitor/\"]
until = 1969-07-20
examples = [
  { read = \"/srv/visitor/a\", expect = \"match\" },
  { read = \"/srv/other\", expect = \"skip\" },
]

[[test]]
name   = \"visitors read\"
call   = { read = \"/srv/visitor/a\" }
expect = \"allow\"
";

#[test]
fn a_rule_that_has_ended_is_told_and_its_tests_do_not_change() {
    let there = directory(&[("ended.toml", ENDED)]);
    let check = toolgate(there.path(), &["check", "ended.toml"], "");
    assert_eq!(check.status.code(), Some(0), "{}", shown(&check));
    assert!(shown(&check).contains("warning[P028]"), "{}", shown(&check));
    assert!(shown(&check).contains("the rule `visitor` has ended"), "{}", shown(&check));
    let test = toolgate(there.path(), &["test", "ended.toml"], "");
    assert_eq!(test.status.code(), Some(0), "{}", shown(&test));
    // What is in force is another matter.
    let call = "{\"read\": \"/srv/visitor/a\"}\n";
    let eval = toolgate(there.path(), &["eval", "--policy", "ended.toml"], call);
    assert!(shown(&eval).contains("\"effect\":\"deny\""), "{}", shown(&eval));
}

/// Loads, with a warning that has a fix, and a note.
const POOR: &str = "\
schema = 1

[policy]
name    = \"poor\"
default = \"defer\"

[read]
allow = [\"/srv/.env.example\"] # the template

[connect]
allow = [\"GET https://docs.example/**\"]

[[rule]]
id    = \"no-dotenv\"
deny  = \"read\"
match = [\"**/.env*\"] # wherever
";

#[test]
fn lints_are_told_as_asked_for_and_never_change_the_exit_code() {
    let there = directory(&[("poor.toml", POOR)]);
    for (lints, warning, note) in [
        (&[][..], true, false),
        (&["--lints", "all"], true, true),
        (&["--lints", "warnings"], true, false),
        (&["--lints", "none"], false, false),
    ] {
        for format in ["human", "json", "sarif"] {
            let fixed = ["check", "--format", format, "poor.toml"];
            let output = toolgate(there.path(), &[&fixed, lints].concat(), "");
            assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
            // SARIF's rules have every code; its results name theirs.
            let told = |code: &str| match format {
                "sarif" => shown(&output).contains(&format!("\"ruleId\": \"{code}\"")),
                _ => shown(&output).contains(code),
            };
            assert_eq!((told("P021"), told("P043")), (warning, note), "{}", shown(&output));
        }
    }
    let output = toolgate(there.path(), &["check", "--fix", "--lints", "none", "poor.toml"], "");
    assert_eq!((output.status.code(), text(&there, "poor.toml").as_str()), (Some(0), POOR));
    let output = toolgate(there.path(), &["check", "--fix", "poor.toml"], "");
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    let mended = "# wherever\nunless = [\"**/.env.example\"]\n";
    assert_eq!(text(&there, "poor.toml"), POOR.replace("# wherever\n", mended));
}

#[test]
fn programs_get_one_document_on_standard_output() {
    let there = directory(&[("good.toml", GOOD), ("bad.toml", BAD)]);
    let json = |arguments: &[&str]| -> Value {
        let output = toolgate(there.path(), arguments, "");
        assert_eq!(output.stderr, b"", "{}", shown(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let good = json(&["check", "--format", "json", "good.toml"]);
    assert_eq!(good["policy"]["name"], "good");
    assert_eq!(
        (good["errors"].as_u64(), good["diagnostics"].as_array().map(Vec::len)),
        (Some(0), Some(0))
    );
    let bad = json(&["check", "--format", "json", "none.toml", "bad.toml"]);
    assert_eq!(bad["policy"], Value::Null);
    assert_eq!(bad["unreadable"][0]["file"], "none.toml");
    assert_eq!(bad["diagnostics"][0]["code"], "P003");
    let log = json(&["check", "--format", "sarif", "none.toml", "bad.toml"]);
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "P003");
    let fixed = json(&["check", "--format", "json", "--fix", "bad.toml"]);
    assert_eq!(fixed["fixed"][0]["words"], "write `version`");
    assert_eq!(fixed["errors"], 0);
    let schema = json(&["schema"]);
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
}

#[test]
fn fix_mends_the_file_behind_a_link_and_nothing_else_in_it() {
    let there = directory(&[("bad.toml", BAD)]);
    let file = there.path().join("bad.toml");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    symlink("bad.toml", there.path().join("link.toml")).unwrap();
    let output = toolgate(there.path(), &["check", "--fix", "link.toml"], "");
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    for says in ["fixed[P003]: write `version`", "link.toml:5:1", "fixed[P006]: write `deny`"] {
        assert!(shown(&output).contains(says), "{says}: {}", shown(&output));
    }
    assert_eq!(text(&there, "bad.toml"), BAD.replace("versoin", "version").replace("dney", "deny"));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert!(there.path().join("link.toml").is_symlink());
    // A file that has nothing to fix is not written.
    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    toolgate(there.path(), &["check", "--fix", "bad.toml"], "");
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), before);
}

#[test]
fn fmt_lays_out_says_what_it_would_do_and_refuses_what_is_no_toml() {
    let there = directory(&[("good.toml", GOOD), ("bad.toml", BAD), ("no.toml", "a = \"")]);
    let output = toolgate(there.path(), &["fmt", "--check", "good.toml", "bad.toml"], "");
    assert_eq!(
        (output.status.code(), shown(&output).as_str()),
        (Some(1), "would change: bad.toml\n")
    );
    assert_eq!(text(&there, "bad.toml"), BAD);
    // What can be laid out is, whatever else there is.
    let output = toolgate(there.path(), &["fmt", "no.toml", "bad.toml", "none.toml"], "");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    for says in ["`no.toml`: this is no TOML", "changed: bad.toml", "`none.toml`"] {
        assert!(shown(&output).contains(says), "{says}: {}", shown(&output));
    }
    let laid_out = BAD.replace("name   =  ", "name    = ");
    assert_eq!(text(&there, "bad.toml"), laid_out);
    assert_eq!(text(&there, "no.toml"), "a = \"");
    let output = toolgate(there.path(), &["fmt", "--check", "good.toml", "bad.toml"], "");
    assert_eq!((output.status.code(), shown(&output).as_str()), (Some(0), ""));
    let output = toolgate(there.path(), &["fmt", "-"], BAD);
    assert_eq!((output.status.code(), shown(&output).as_str()), (Some(0), laid_out.as_str()));
}
