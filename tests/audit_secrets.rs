//! What the log says of secrets and keeps of long texts: a known value is found again by its
//! commitment, nothing raw is anywhere, and what is kept beside the log can be erased while the
//! chain stays whole.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod sidecar;

use serde_json::{Value, json};
use sidecar::{Sidecar, until};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const POLICY: &str = r#"
schema = 1
[policy]
name    = "writer"
version = "1"
default = "deny"
[read]
allow = ["**"]
[call]
allow = ["**"]
[[rule]]
id      = "full"
allow   = "write"
match   = ["$workspace/full/**"]
capture = "full"
[[rule]]
id      = "usual"
allow   = "write"
match   = ["$workspace/usual/**"]
[[rule]]
id      = "digest"
allow   = "write"
match   = ["$workspace/digest/**"]
capture = "digest"
"#;

/// A token of the form that detectors know, and a text that nobody may find anywhere.
const SECRET: &str = "ghp_0123456789abcdefghij0123456789abcdef";

fn start(audit: &str) -> Sidecar {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    Sidecar::start_logging(POLICY, "", None, audit, &mut command)
}

/// A long text with a secret in it.
fn long(bytes: usize) -> String {
    format!("{}token = {SECRET}\n", "a line of some file\n".repeat(bytes / 20))
}

/// Writes a file through the hook; the record of it.
fn write(sidecar: &Sidecar, session: &str, place: &str, content: &str) -> Value {
    let event = json!({
        "hook_event_name": "PreToolUse", "session_id": session, "cwd": sidecar.path("work"),
        "tool_name": "Write", "tool_use_id": format!("toolu_{session}_{place}"),
        "tool_input": {"file_path": sidecar.path(&format!("work/{place}/f")), "content": content},
    });
    let output = sidecar.hook(event.to_string());
    assert!(output.status.success());
    let records = sidecar.records();
    let newest = records.into_iter().rev().find(|record| record["kind"] == "tool.pre").unwrap();
    assert_eq!(newest["session"], session);
    newest
}

/// The name of the text that a record leaves out, if it is kept.
fn kept(record: &Value) -> Option<String> {
    let redactions = record["input"]["redactions"].as_array()?;
    redactions.iter().find_map(|one| one["blob"].as_str()).map(str::to_owned)
}

fn file(sidecar: &Sidecar, name: &str) -> PathBuf {
    sidecar.path("audit").join("blobs").join(name.get(..2).unwrap()).join(name)
}

fn audit(sidecar: &Sidecar, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("audit").args(arguments).arg("--audit").arg(sidecar.path("audit"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Erases through the running sidecar.
fn erase(sidecar: &Sidecar, arguments: &[&str]) -> Output {
    let socket = sidecar.socket().with_file_name("admin.sock");
    let all = [&["erase"], arguments, &["--socket", socket.to_str().unwrap()]].concat();
    audit(sidecar, &all, "")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Every file below a directory.
fn everything(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(everything(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn a_known_value_is_found_by_its_commitment_and_is_nowhere_itself() {
    let sidecar = start("blobs = true");
    for place in ["full", "usual", "digest"] {
        write(&sidecar, "s-1", place, &long(100_000));
    }
    let record = write(&sidecar, "s-2", "usual", &format!("x = {SECRET}\n"));
    let hmac = record["input"]["redactions"][0]["hmac"].as_str().unwrap();
    let told = audit(&sidecar, &["hash", SECRET], "");
    assert_eq!(out(&told).trim(), hmac);
    let told = audit(&sidecar, &["hash", "-"], &format!("{SECRET}\n"));
    assert_eq!(out(&told).trim(), hmac);
    let found = audit(&sidecar, &["hash", "-", "--find", "--format", "jsonl"], SECRET);
    let sessions: Vec<Value> = out(&found)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["session"].clone())
        .collect();
    assert_eq!(sessions, ["s-1", "s-1", "s-2"]);
    let none = audit(&sidecar, &["hash", "another", "--find"], "");
    assert!(none.status.success() && out(&none).is_empty());
    // A text that is no event may hold anything: not even its hash is written.
    sidecar.hook(format!("{{\"broken\": \"{SECRET}"));
    let bad = |sidecar: &Sidecar| {
        let records = sidecar.records();
        records.into_iter().rev().find(|one| one["details"]["hmac"].is_string())
    };
    let bad = until("it is recorded", || bad(&sidecar));
    assert_eq!(bad["details"]["sha256"], Value::Null);
    let key = std::fs::read_to_string(sidecar.path("audit/commitment.key")).unwrap();
    let key = key.lines().nth(1).unwrap().to_owned();
    for path in everything(&sidecar.path("audit")) {
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds(SECRET), "{}", path.display());
        assert!(!holds(&key) || path.ends_with("commitment.key"), "{}", path.display());
    }
    sidecar.stop();
}

#[test]
fn what_is_kept_of_a_long_text_is_the_rules_and_the_operators_to_say() {
    for (audit, expected) in [
        ("", [true, false, false]),
        ("blobs = true", [true, true, false]),
        ("blobs = false", [false, false, false]),
    ] {
        let sidecar = start(audit);
        for (place, is_kept) in ["full", "usual", "digest"].into_iter().zip(expected) {
            let record = write(&sidecar, "s", place, &long(100_000));
            let name = kept(&record);
            assert_eq!(name.is_some(), is_kept, "{audit} {place}");
            if let Some(name) = name {
                let text = std::fs::read_to_string(file(&sidecar, &name)).unwrap();
                let (_, text) = text.split_once('\n').unwrap();
                assert!(text.ends_with("token = [redacted:github-token]\n"), "{place}");
                assert_eq!(text.len(), record["input"]["value"]["content"]["bytes"]);
            }
        }
        sidecar.stop();
    }
    // What does not fit is not named, and the record says why.
    let sidecar = start("blobs = true\nblobs_bytes_max = 150000");
    assert!(kept(&write(&sidecar, "s", "usual", &long(100_000))).is_some());
    let record = write(&sidecar, "s", "usual", &long(100_000));
    assert_eq!(kept(&record), None);
    let why = record["details"]["text_not_kept"].as_str().unwrap();
    assert!(why.contains("blobs_bytes_max"), "{why}");
    sidecar.stop();
}

#[test]
fn erasing_leaves_the_chain_whole() {
    let sidecar = start("blobs = true");
    let name = |session: &str| kept(&write(&sidecar, session, "usual", &long(20_000))).unwrap();
    let (first, second, other) = (name("s-1"), name("s-1"), name("s-2"));
    let dry = erase(&sidecar, &["--session", "s-1", "--dry-run"]);
    assert!(dry.status.success());
    assert_eq!(out(&dry).lines().count(), 2);
    assert!(file(&sidecar, &first).exists());

    let done = erase(&sidecar, &["--session", "s-1"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!file(&sidecar, &first).exists() && !file(&sidecar, &second).exists());
    assert!(file(&sidecar, &other).exists());
    let records = sidecar.records();
    let erased = records.iter().find(|record| record["kind"] == "audit.erased").unwrap();
    let mut names = [first.as_str(), second.as_str()];
    names.sort_unstable();
    let mut told: Vec<&str> = erased["details"]["blobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    told.sort_unstable();
    assert_eq!(told, names);
    assert_eq!(erased["details"]["why"], "session s-1");
    let nothing = erase(&sidecar, &["--session", "s-1"]);
    assert_eq!(nothing.status.code(), Some(1));
    let verified = audit(&sidecar, &["verify"], "");
    assert!(verified.status.success(), "{}", out(&verified));
    assert!(out(&verified).contains("3 long texts beside the log, 2 of them erased"));

    // Without a sidecar the command writes the record itself.
    let third = kept(&write(&sidecar, "s-3", "usual", &long(20_000))).unwrap();
    write(&sidecar, "s-4", "usual", &long(20_000));
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let copy = scratch.path().join("audit");
    let status = Command::new("cp").arg("-r").arg(sidecar.path("audit")).arg(&copy).status();
    assert!(status.unwrap().success());
    let here = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.arg("audit").args(arguments).arg("--audit").arg(&copy).output().unwrap()
    };
    // Where the key cannot be read nothing is erased: nobody could vouch for the record of it.
    let key = copy.join("toolgate.key");
    std::fs::rename(&key, scratch.path().join("key")).unwrap();
    let done = here(&["erase", "--blob", &other]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("--key"), "{said}");
    std::fs::rename(scratch.path().join("key"), &key).unwrap();
    let done = here(&["erase", "--blob", &other]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let fourth = here(&["erase", "--session", "s-4"]);
    let said = String::from_utf8(fourth.stderr).unwrap();
    assert!(fourth.status.success() && !said.contains("signed"), "{said}");
    let verified = here(&["verify"]);
    assert!(!out(&verified).contains("BROKEN"), "{}", out(&verified));
    assert!(
        verified.status.success() && out(&verified).contains("5 long texts"),
        "{}",
        out(&verified)
    );

    // One that goes without a word is told, and the chain still holds.
    std::fs::remove_file(copy.join("blobs").join(third.get(..2).unwrap()).join(&third)).unwrap();
    let verified = here(&["verify", "--format", "json"]);
    assert_eq!(verified.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_ne!(report["state"], "BROKEN");
    assert_eq!(report["texts"]["missing"][0]["sha256"], third.as_str());
    sidecar.stop();
}

/// Forms that lose on the way from the text of a command to what it runs what tells the secret, or
/// gain it there.
#[test]
fn a_secret_that_one_text_of_a_record_tells_is_in_none_of_its_texts_nor_in_the_answer() {
    let sidecar = start("");
    let secret = "Zx9Kq2LmT7vRw4";
    let commands = [
        format!("mysqldump -uroot -p{secret} db > d.sql"),
        format!("mysql -h h.example -p'{secret}'"),
        format!("mysql -h h.example -p\"{secret}\""),
        format!("sudo mysql -p{secret}"),
        format!("bash -c 'mysql -p{secret}'"),
        format!("curl \"-uadmin:{secret}\" https://h.example"),
        format!("curl -u \\\n admin:{secret} https://h.example"),
        format!("curl -H Authorization:\\ Bearer\\ {secret} https://h.example"),
        format!("PGPASSWORD=$'{secret}' psql"),
        format!("sshpass -p{secret} ssh h.example"),
        format!("openssl enc -k {secret}"),
    ];
    for command in &commands {
        let event = json!({
            "hook_event_name": "PreToolUse", "session_id": "s", "cwd": sidecar.path("work"),
            "tool_name": "Bash", "tool_use_id": "toolu_1", "tool_input": {"command": command},
        });
        let output = sidecar.hook(event.to_string());
        let told = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&told).contains(secret), "{command}");
    }
    let records = sidecar.records();
    let records: Vec<&Value> = records.iter().filter(|one| one["kind"] == "tool.pre").collect();
    assert_eq!(records.len(), commands.len());
    for record in records {
        assert!(!record.to_string().contains(secret), "{record}");
        assert!(record["input"].to_string().contains("[redacted:"), "{record}");
    }
    // What is surely read is told whatever a command calls a password, or it could hide it.
    let place = sidecar.path("work/plain-file-1");
    let event = json!({
        "hook_event_name": "PreToolUse", "session_id": "s", "cwd": sidecar.path("work"),
        "tool_name": "Bash", "tool_use_id": "toolu_2",
        "tool_input": {"command": format!("mysql -pplain-file-1; cat {}", place.display())},
    });
    sidecar.hook(event.to_string());
    let records = sidecar.records();
    let newest = records.iter().rfind(|one| one["kind"] == "tool.pre").unwrap();
    let accesses = newest["accesses"].as_array().unwrap();
    let read = accesses.iter().find(|one| one["verb"] == "read" && one["certain"] == true);
    assert_eq!(read.unwrap()["target"], place.to_str().unwrap(), "{newest}");
    sidecar.stop();
}

#[test]
fn what_became_of_a_text_is_shown_and_the_sidecar_says_where_its_log_is() {
    let sidecar = start("blobs = true");
    let record = write(&sidecar, "s-1", "usual", &long(20_000));
    let (name, seq) = (kept(&record).unwrap(), record["seq"].to_string());
    let show = |more: &[&str]| {
        let shown = audit(&sidecar, &[&["show", seq.as_str()], more].concat(), "");
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        out(&shown)
    };
    let path = file(&sidecar, &name);
    let told = show(&[]);
    assert!(told.contains(&name) && told.contains(path.to_str().unwrap()), "{told}");
    assert!(told.lines().count() + 5 < show(&["--texts"]).lines().count());
    assert!(show(&["--texts"]).contains("token = [redacted:github-token]"));

    // Without --audit, the log of the sidecar at the socket is meant.
    let socket = sidecar.socket().with_file_name("admin.sock");
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.args(["audit", "erase", "--session", "s-1", "--socket"]).arg(&socket);
    let erased = command.output().unwrap();
    assert!(erased.status.success(), "{}", String::from_utf8_lossy(&erased.stderr));
    assert!(!path.exists());
    assert!(show(&[]).contains("erased at "), "{}", show(&[]));
    // With it, beside a running sidecar, the socket must be named.
    write(&sidecar, "s-2", "usual", &long(20_000));
    let elsewhere = sidecar.path("no.sock");
    let failed = audit(
        &sidecar,
        &["erase", "--session", "s-2", "--socket", elsewhere.to_str().unwrap()],
        "",
    );
    let why = String::from_utf8(failed.stderr).unwrap();
    assert!(failed.status.code() == Some(2) && why.contains("--socket PATH"), "{why}");
    sidecar.stop();
}

#[test]
fn a_kept_head_is_said_to_be_reached_and_a_proof_is_a_sentence() {
    let sidecar = start("blobs = false");
    let record = write(&sidecar, "s-1", "usual", "short");
    // A second after the last record its head is signed.
    until("the log is signed to its end", || {
        out(&audit(&sidecar, &["verify"], "")).contains("\nSEALED").then_some(())
    });
    let head = audit(&sidecar, &["head"], "");
    assert!(head.status.success(), "{}", String::from_utf8_lossy(&head.stderr));
    let note = sidecar.path("head.note");
    std::fs::write(&note, &head.stdout).unwrap();
    let note = note.to_str().unwrap();
    let alone = out(&audit(&sidecar, &["verify"], ""));
    let held = out(&audit(&sidecar, &["verify", "--head", note], ""));
    assert!(alone.contains("a head kept elsewhere (--head) shows"), "{alone}");
    assert!(held.contains("the head that you kept is in the log"), "{held}");
    assert!(held.contains("SEALED: whole") && !held.contains("(--head)"), "{held}");
    let missing = audit(&sidecar, &["verify", "--head", "no-such.note"], "");
    let why = String::from_utf8(missing.stderr).unwrap();
    assert!(why.contains("neither a head nor a file with one"), "{why}");

    let proof = audit(&sidecar, &["prove", &record["seq"].to_string()], "");
    let file = sidecar.path("proof.json");
    std::fs::write(&file, &proof.stdout).unwrap();
    let verify = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        out(&command.args(["audit", "verify-proof"]).arg(&file).args(more).output().unwrap())
    };
    let told = verify(&[]);
    let effect = record["decision"]["effect"].as_str().unwrap();
    assert!(told.contains(&format!("session s-1: {effect} Write `")), "{told}");
    assert!(!told.contains("{\"v\":1"), "{told}");
    let json: Value = serde_json::from_str(&verify(&["--format", "json"])).unwrap();
    assert_eq!(json["seq"], record["seq"]);
    assert!(json["line"].as_str().unwrap().contains("\"v\":1"), "{json}");
    sidecar.stop();
}
