//! A policy is replaced while the sidecar runs: no call waits or fails for it, what does not hold
//! does not come into force, and both are in the log.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use serde_json::{Value, json};
use sidecar::{Sidecar, until};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use toolgate::limits::{HOOK_DEADLINE, POLICY_BYTES_MAX, RELOAD_TOLD_BYTES_MAX};
use toolgate::model::principal::Runtime;
use toolgate::plane::hook::client::{Settings, exchange};
use toolgate::service::admin::{Reload, Reloaded, Reply, Request, Status, ask};
use toolgate::service::config::{Config, WorldName};
use toolgate::service::supervise::{Running, start};

/// Far above what a reload needs.
const PATIENCE: Duration = Duration::from_secs(240);

/// Lets the agent read the workspace but for this many directories, and what `more` adds.
fn policy(name: &str, rules: usize, more: &str) -> String {
    let rules: String = (0..rules)
        .map(|n| {
            format!("[[rule]]\nid = \"r{n}\"\ndeny = \"read\"\nmatch = [\"$workspace/s{n}/\"]\n")
        })
        .collect();
    format!(
        "schema = 1\n[policy]\nname = \"{name}\"\ndefault = \"deny\"\n[read]\nallow = [\
         \"$workspace/\"]\n[call]\nallow = [\"$transparent\"]\n{rules}{more}"
    )
}

/// A sidecar in this process, with files of its own.
struct Guard {
    runtime: tokio::runtime::Runtime,
    running: Option<Running>,
    scratch: tempfile::TempDir,
    policy: PathBuf,
}

impl Guard {
    /// One whose policy lies in `policy.toml`, as `lay` puts it there.
    fn start(poll_seconds: u32, lay: impl FnOnce(&Path)) -> Guard {
        let scratch = tempfile::Builder::new().prefix("r").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let scratch = scratch.unwrap();
        let policy = scratch.path().join("policy.toml");
        lay(&policy);
        std::fs::create_dir(scratch.path().join("work")).unwrap();
        let mut config = Config::default();
        config.hook.socket = scratch.path().join("run/s");
        config.hook.world = Some(WorldName::Same);
        config.policy.files = vec![policy.clone()];
        config.policy.workspace = Some(scratch.path().join("work"));
        config.policy.poll_seconds = poll_seconds;
        config.audit.dir = Some(scratch.path().join("audit"));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let running = Some(runtime.block_on(start(&config, None)).unwrap());
        Guard { runtime, running, scratch, policy }
    }

    fn with(text: &str) -> Guard {
        Guard::start(0, |policy| std::fs::write(policy, text).unwrap())
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Whether the agent may read this file of the workspace.
    fn may_read(&self, name: &str) -> bool {
        may_read(self.running().socket(), &self.scratch.path().join("work").join(name))
    }

    fn ask(&self, request: &Request) -> Reply {
        ask(self.running().admin_socket(), request, PATIENCE).unwrap()
    }

    fn status(&self) -> Status {
        match self.ask(&Request::Status) {
            Reply::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    fn reload(&self) -> Reload {
        match self.ask(&Request::Reload) {
            Reply::Reload(reload) => reload,
            other => panic!("{other:?}"),
        }
    }

    /// Why the files are refused.
    fn refused(&self) -> String {
        let reload = self.reload();
        assert_eq!(reload.outcome, Reloaded::Refused, "{reload:?}");
        reload.why.unwrap()
    }

    fn records(&self) -> Vec<Value> {
        records(&self.scratch.path().join("audit"))
    }

    fn of_kind(&self, kind: &str) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record["kind"] == kind);
        records.into_iter().map(|mut record| record["details"].take()).collect()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop()).unwrap();
        }
    }
}

fn records(audit: &Path) -> Vec<Value> {
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let all: String = sidecar::files_below(audit).into_iter().map(read).collect();
    let whole = all.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The event of a Read.
fn read(path: &Path) -> String {
    let event = json!({
        "session_id": "s", "cwd": "/", "permission_mode": "default", "tool_use_id": path,
        "hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"file_path": path},
    });
    event.to_string()
}

/// Whether the answer to an event is an allow, and what it says.
fn answer(socket: &Path, event: &str) -> (bool, String) {
    let settings = Settings {
        runtime: Runtime::Claude,
        socket: socket.to_str().unwrap().to_owned(),
        server_uid: None,
        deadline: HOOK_DEADLINE,
    };
    let reply = exchange(&settings, event.as_bytes(), Instant::now() + HOOK_DEADLINE).unwrap();
    let told = String::from_utf8(reply.stdout).unwrap();
    let is_allowed = told.contains(r#""permissionDecision":"allow""#);
    assert_eq!(reply.code, if is_allowed { 0 } else { 2 }, "{told}");
    (is_allowed, told)
}

/// The answer to a Read, which must be a decision of the policy and no failure.
fn may_read(socket: &Path, path: &Path) -> bool {
    let (is_allowed, told) = answer(socket, &read(path));
    assert!(is_allowed || told.contains("denied by rule `"), "{told}");
    is_allowed
}

const RULES: usize = 10_000;

#[test]
fn no_call_waits_or_fails_while_10_000_rules_are_reloaded() {
    let only = |name: &str| {
        let more = format!(
            "[[rule]]\nid = \"only\"\ndeny = \"read\"\nmatch = [\"$workspace/only-{name}/\"]\n"
        );
        policy(name, RULES, &more)
    };
    let texts = [("a", only("a")), ("b", only("b"))];
    let guard = Guard::with(&texts[0].1);
    let (socket, work) = (guard.running().socket(), guard.scratch.path().join("work"));
    // Calls that began and ended within one reload.
    let (reloading, within) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let done = AtomicBool::new(false);
    let mut reloads = 0;
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let (work, reloading, within, done) = (&work, &reloading, &within, &done);
            scope.spawn(move || {
                for round in (caller..).step_by(4) {
                    let during = reloading.load(SeqCst);
                    assert!(may_read(socket, &work.join("free")));
                    assert!(!may_read(socket, &work.join(format!("s{}/x", round % RULES))));
                    let _ = may_read(socket, &work.join("only-a/x"));
                    if during % 2 == 1 && reloading.load(SeqCst) == during {
                        within.fetch_add(1, SeqCst);
                    }
                    if done.load(SeqCst) {
                        break;
                    }
                }
            });
        }
        let end = Instant::now() + PATIENCE;
        while reloads < 6 || within.load(SeqCst) < 12 {
            assert!(Instant::now() < end, "no call ends while a policy is reloaded");
            reloads += 1;
            let (name, text) = &texts[reloads % 2];
            std::fs::write(&guard.policy, text).unwrap();
            reloading.fetch_add(1, SeqCst);
            let reload = guard.reload();
            reloading.fetch_add(1, SeqCst);
            assert_eq!((reload.outcome, &*reload.policy), (Reloaded::Loaded, *name));
        }
        done.store(true, SeqCst);
    });
    let loads = guard.of_kind("policy.load");
    assert_eq!(loads.len(), reloads + 1);
    let digest = |at: usize| loads[at]["sha256"].as_str().unwrap();
    let digests = [digest(0), digest(1)];
    for (at, load) in loads.iter().enumerate() {
        assert_eq!(load["sha256"], digests[at % 2]);
        assert_eq!(load["rules"], RULES + 3);
    }
    // Each call was judged by one policy, whole: what it says is what that policy says.
    let decided: Vec<Value> =
        guard.records().into_iter().filter(|record| !record["decision"].is_null()).collect();
    let mut by = [0, 0];
    for record in &decided {
        let name = &record["policy"]["name"];
        let which = usize::from(name == "b");
        by[which] += 1;
        assert_eq!(record["policy"]["sha256"], digests[which]);
        let path = record["tool_use_id"].as_str().unwrap();
        let free = path.ends_with("/free") || (path.ends_with("/only-a/x") && which == 1);
        assert_eq!(record["decision"]["effect"], if free { "allow" } else { "deny" }, "{record}");
    }
    assert!(by[0] > 0 && by[1] > 0, "{by:?}");
}

/// How the policy's file is spoilt, and what is said of it.
type Spoil = (&'static str, fn(&Path), &'static str);

const GOOD: &str = "[[rule]]\nid = \"secret\"\ndeny = \"read\"\nmatch = [\"$workspace/secret/\"]\n";

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path, bytes).unwrap();
}

const SPOILT: &[Spoil] = &[
    ("gone", |_| {}, "No such file"),
    ("a directory", |path| std::fs::create_dir(path).unwrap(), "there is no policy"),
    ("a pipe", |path| nix::unistd::mkfifo(path, Mode::S_IRUSR).unwrap(), "no regular file"),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap()), "cannot be read"),
    ("an endless device", |path| symlink("/dev/zero", path).unwrap(), "no regular file"),
    ("a link to nothing", |path| symlink("nothing", path).unwrap(), "No such file"),
    ("a link to itself", |path| symlink(path, path).unwrap(), "cannot be read"),
    ("below a file", |path| symlink("/dev/null/x", path).unwrap(), "cannot be read"),
    ("empty", |path| write(path, ""), "`schema`"),
    ("blank", |path| write(path, "\n \n"), "`schema`"),
    ("half written", |path| write(path, policy("half", 1, GOOD).trim_end_matches("]\n")), "TOML"),
    ("cut in a text", |path| write(path, policy("cut", 1, "").trim_end_matches("/\"]\n")), "TOML"),
    ("no utf-8", |path| write(path, b"schema = 1 # \xff\xfe\n"), "byte 13 is not UTF-8"),
    ("utf-16", |path| write(path, b"\xff\xfes\0c\0"), "byte 0 is not UTF-8"),
    ("zeros", |path| write(path, [0; 4096]), "TOML"),
    ("json", |path| write(path, "{\"schema\": 1}"), "TOML"),
    (
        "too large",
        |path| write(path, format!("{}#{}", policy("l", 1, ""), "x".repeat(POLICY_BYTES_MAX))),
        "larger than 8 MiB",
    ),
    ("an unknown key", |path| write(path, policy("k", 1, "[raed]\n")), "did you mean `read`"),
    ("an endless key", |path| write(path, policy("k", 1, &"k".repeat(5_000_000))), "TOML"),
    ("deep brackets", |path| write(path, format!("a = {}", "[".repeat(1_000_000))), "TOML"),
    (
        "another workspace",
        |path| write(path, policy("w", 1, "[let]\nworkspace = \"/elsewhere\"\n")),
        "already fixed as",
    ),
    (
        "an example that fails",
        |path| {
            write(
                path,
                policy(
                    "e",
                    1,
                    &format!("{GOOD}examples = [{{ read = \"/a\", expect = \"match\" }}]\n"),
                ),
            )
        },
        "the example expects",
    ),
    (
        "a test that fails",
        |path| {
            let test = "[[test]]\nname = \"t\"\ncall = { read = \"/etc/x\" }\nexpect = \"allow\"\n";
            write(path, policy("t", 1, test));
        },
        "the test `t` expects allow",
    ),
];

#[test]
fn whatever_the_file_has_become_the_old_policy_stays_and_the_log_says_why() {
    let good = policy("good", 0, GOOD);
    let guard = Guard::with(&good);
    let clear = || match std::fs::symlink_metadata(&guard.policy) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir(&guard.policy).unwrap(),
        Ok(_) => std::fs::remove_file(&guard.policy).unwrap(),
        Err(_) => {}
    };
    let before = guard.status().policy;
    for (name, spoil, because) in SPOILT {
        clear();
        spoil(&guard.policy);
        let why = guard.refused();
        assert!(why.contains(because), "{name}: `{why}` does not say `{because}`");
        assert!(why.len() <= RELOAD_TOLD_BYTES_MAX, "{name}");
        assert!(guard.may_read("a") && !guard.may_read("secret/a"), "{name}");
        let status = guard.status();
        assert_eq!(status.policy, before, "{name}");
        assert_eq!(status.reload.unwrap().why.unwrap(), why, "{name}");
        clear();
        write(&guard.policy, &good);
        assert_eq!(guard.reload().outcome, Reloaded::Unchanged, "{name}");
    }
    let refused = guard.of_kind("policy.refused");
    assert_eq!(refused.len(), SPOILT.len());
    for (details, (name, _, because)) in refused.iter().zip(SPOILT) {
        assert_eq!(details["cause"], "command", "{name}");
        assert!(details["why"].as_str().unwrap().contains(because), "{name}: {details}");
        assert_eq!(details["in_force_sha256"], json!(before.sha256), "{name}");
        assert_eq!(details["files"][0]["file"], json!(guard.policy), "{name}");
    }
    assert_eq!(guard.of_kind("policy.load").len(), 1);
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let guard = Guard::with(&policy("good", 0, GOOD));
    std::fs::set_permissions(&guard.policy, std::fs::Permissions::from_mode(0o000)).unwrap();
    let reload = guard.reload();
    // Root reads everything.
    let expected = match std::fs::File::open(&guard.policy) {
        Ok(_) => Reloaded::Unchanged,
        Err(_) => Reloaded::Refused,
    };
    assert_eq!(reload.outcome, expected, "{reload:?}");
    assert!(!guard.may_read("secret/a"));
}

#[test]
fn a_hundred_thousand_rules_are_taken_whole_or_refused_in_few_words() {
    let guard = Guard::with(&policy("good", 0, GOOD));
    let many = policy("many", 100_000, "");
    write(&guard.policy, many.replace("deny = \"read\"", "dney = \"read\""));
    let why = guard.refused();
    assert!(why.contains("did you mean `deny`?") && why.contains("more"), "{why}");
    assert!(why.len() <= RELOAD_TOLD_BYTES_MAX);
    assert!(!guard.may_read("secret/a"));
    // More patterns than a policy may have, from few bytes.
    let choices = |n: usize| format!("\"/{n}{{a,b}}{{c,d}}{{e,f}}{{g,h}}{{i,j}}\",");
    let braces: String = (0..7_000).map(choices).collect();
    let braces = format!("[write]\ndeny = [{braces}]\n");
    write(&guard.policy, policy("braces", 0, &braces));
    let why = guard.refused();
    assert!(why.contains("patterns that come from braces"), "{why}");
    assert!(!guard.may_read("secret/a"));
    write(&guard.policy, &many);
    assert_eq!(guard.reload().outcome, Reloaded::Loaded);
    assert!(guard.may_read("secret/a") && !guard.may_read("s99999/a"));
    assert_eq!(guard.status().policy.layers[0].rules, 100_002);
}

#[test]
fn a_link_that_is_turned_during_reloads_leads_to_one_file_or_the_other() {
    // Long enough that two of them could be mixed, and no mixture is a policy.
    let texts = ["a", "b"].map(|name| policy(name, 0, &format!("# {}\n", name.repeat(2_000_000))));
    let guard = Guard::start(0, |policy| {
        for (name, text) in ["a", "b"].iter().zip(&texts) {
            write(&policy.with_file_name(name), text);
        }
        symlink("a", policy).unwrap();
    });
    let first = guard.status().policy.sha256;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let next = guard.policy.with_file_name("next");
            for to in ["b", "nothing", "a"].iter().cycle() {
                symlink(to, &next).unwrap();
                std::fs::rename(&next, &guard.policy).unwrap();
                if done.load(SeqCst) {
                    break;
                }
            }
        });
        let mut seen = std::collections::BTreeSet::new();
        let end = Instant::now() + PATIENCE;
        while seen.len() < 3 {
            assert!(Instant::now() < end, "only seen: {seen:?}");
            let reload = guard.reload();
            if let Some(why) = &reload.why {
                assert!(why.contains("No such file"), "{why}");
            }
            assert_eq!(reload.sha256 == first, reload.policy == "a");
            seen.insert(match reload.outcome {
                Reloaded::Refused => "refused".to_owned(),
                Reloaded::Loaded | Reloaded::Unchanged => reload.policy,
            });
        }
        done.store(true, SeqCst);
    });
    let digests: std::collections::BTreeSet<String> = guard
        .of_kind("policy.load")
        .iter()
        .map(|details| details["files"][0]["sha256"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(digests.len(), 2);
}

#[test]
fn no_agent_turns_a_link_that_leads_to_the_policy() {
    let everything = "schema = 1\n[policy]\nname = \"all\"\ndefault = \"deny\"\n\
        [read]\nallow = [\"**\"]\n[write]\nallow = [\"**\"]\n[exec]\nallow = [\"**\"]\n\
        [call]\nallow = [\"**\"]\n";
    let guard = Guard::start(0, |policy| {
        // As a configuration map is mounted.
        let real = policy.with_file_name("v1");
        std::fs::create_dir(&real).unwrap();
        write(&real.join("policy.toml"), everything);
        symlink("v1", policy.with_file_name("current")).unwrap();
        symlink("current/policy.toml", policy).unwrap();
    });
    let at = |name: &str| guard.policy.with_file_name(name).display().to_string();
    let (link, current, real) = (at("policy.toml"), at("current"), at("v1"));
    let held = [
        format!("ln -sf /tmp/other {link}"),
        format!("rm {link}"),
        format!("mv {link} {link}.old"),
        format!("ln -sfn /tmp/other {current}"),
        format!("rm {current}"),
        format!("mv {current} {current}.old"),
        format!("mv {real} {real}.old"),
        format!("echo > {real}/policy.toml"),
        format!("echo > {current}/policy.toml"),
        format!("cd {current} && echo > policy.toml"),
    ];
    let may = |command: &str| {
        let event = json!({
            "session_id": "s", "cwd": "/", "permission_mode": "default",
            "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": command},
        });
        answer(guard.running().socket(), &event.to_string())
    };
    for command in held {
        let (is_allowed, told) = may(&command);
        assert!(!is_allowed && told.contains("toolgate:self"), "{command}: {told}");
    }
    for command in [format!("touch {}", at("other")), format!("ls {current}")] {
        let (is_allowed, told) = may(&command);
        assert!(is_allowed, "{command}: {told}");
    }
}

#[test]
fn the_poll_finds_a_changed_file_and_leaves_a_wrong_one() {
    let guard = Guard::start(1, |path| std::fs::write(path, policy("one", 0, GOOD)).unwrap());
    assert!(!guard.may_read("secret/a"));
    write(&guard.policy, policy("two", 0, ""));
    until("the poll loads", || (guard.status().policy.name == "two").then_some(()));
    assert!(guard.may_read("secret/a"));
    write(&guard.policy, "schema = 1\n[polcy]\n");
    until("the poll refuses", || guard.of_kind("policy.refused").pop());
    assert!(guard.may_read("secret/a"));
    write(&guard.policy, policy("three", 0, GOOD));
    until("the poll loads again", || (guard.status().policy.name == "three").then_some(()));
    assert!(!guard.may_read("secret/a"));
    for record in
        guard.of_kind("policy.load").iter().skip(1).chain(&guard.of_kind("policy.refused"))
    {
        assert_eq!(record["cause"], "poll");
    }
    assert_eq!(guard.of_kind("policy.refused").len(), 1);
}

#[test]
fn a_hangup_reloads_the_real_sidecar_and_never_ends_it() {
    let mut sidecar = Sidecar::start(&policy("one", 0, GOOD));
    let secret = sidecar.path("work/secret/a");
    let may_read = |sidecar: &Sidecar| sidecar.hook(read(&secret)).status.code() == Some(0);
    let hangup = || kill(sidecar.pid(), Signal::SIGHUP).unwrap();
    let last = |kind: &str, after: usize| {
        until(kind, || {
            let mut records = sidecar.records();
            records.retain(|record| record["kind"] == kind);
            (records.len() > after).then(|| records.pop().unwrap()["details"].take())
        })
    };
    assert!(!may_read(&sidecar));
    let first = last("policy.load", 0);
    assert_eq!(first["cause"], "start");
    write(&sidecar.path("policy.toml"), policy("two", 0, ""));
    hangup();
    let second = last("policy.load", 1);
    assert_eq!((&second["cause"], &second["policy"]), (&json!("sighup"), &json!("two")));
    assert_eq!(second["before_sha256"], first["sha256"]);
    until("two is in force", || may_read(&sidecar).then_some(()));
    write(&sidecar.path("policy.toml"), "schema = 1\n[polcy]\n");
    for _ in 0..100 {
        hangup();
    }
    let refused = last("policy.refused", 0);
    assert!(refused["why"].as_str().unwrap().contains("did you mean `policy`?"), "{refused}");
    assert_eq!(refused["in_force_sha256"], second["sha256"]);
    assert!(may_read(&sidecar));
    assert!(sidecar.is_alive());
    sidecar.stop();
}
