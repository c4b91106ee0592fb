//! One session as a runtime plays it: turns of five calls, every other one with all five at once;
//! what is let through runs and is told of, and so are the ends of turns and of the session.

use crate::load::wire::{Answer, Kept, There, Way};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// What a session asks for. Each has one right answer, by the policy in `hook_load.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An allowed read.
    Plain,
    /// A refused one.
    Secret,
    /// One that the policy in force allows or refuses.
    Only,
    /// One that brings back a key.
    Keys,
    /// One that closes the network to its session.
    Taint,
    /// The network.
    Fetch,
    /// A command.
    Shell,
    /// A command that fails.
    Fails,
    /// An allowed write.
    Write,
    /// A write that a person is asked about.
    Ask,
    /// What the policy has no opinion on.
    Defer,
    /// A tool that a session may call three times.
    Few,
    /// A tool that a session may spend 1,000 on, at 300 each.
    Pay,
    /// A tool that all sessions together may call so often.
    Daily,
}
use Kind::*;

pub const PARALLEL: [(Kind, usize); 10] = [
    (Few, 9),
    (Pay, 9),
    (Daily, 6),
    (Plain, 7),
    (Taint, 1),
    (Secret, 5),
    (Keys, 5),
    (Shell, 3),
    (Ask, 3),
    (Defer, 2),
];
pub const ONE_BY_ONE: [(Kind, usize); 12] = [
    (Fetch, 5),
    (Plain, 10),
    (Secret, 5),
    (Only, 8),
    (Keys, 4),
    (Taint, 1),
    (Fetch, 4),
    (Write, 4),
    (Fails, 3),
    (Ask, 1),
    (Shell, 3),
    (Only, 2),
];
pub const CALLS: usize = 100;
const TURN: usize = 5;
/// Looks like a cloud key; it is nobody's.
pub const KEY: &str = "AKIAQ3EGRIPTOZ7WXHBN";

/// One call and everything that came of it.
#[derive(Debug)]
pub struct Call {
    pub id: String,
    pub kind: Kind,
    /// Whether the session had already read what closes the network.
    pub tainted: bool,
    /// How often a policy had been put in force before and after the call was judged; odd while
    /// one is being put.
    pub versions: (usize, usize),
    pub pre: Answer,
    /// The sidecar that judged it.
    pub epoch: usize,
    /// Whether the sidecar was another one when the person was asked, or when the turn was over.
    pub asked_later: bool,
    pub over_later: bool,
    pub post: Option<Answer>,
}

/// A session that was played.
#[derive(Debug)]
pub struct Played {
    pub session: String,
    pub calls: Vec<Call>,
    /// Events that only tell: the name, and what came of it.
    pub told: Vec<(&'static str, Answer)>,
}

/// What all sessions share.
pub struct Stage<'a> {
    pub there: &'a There,
    pub work: String,
    /// Calls that were judged.
    pub progress: AtomicUsize,
    /// How often a policy was put in force; odd while one is being put.
    pub version: AtomicUsize,
}

struct Session<'a> {
    stage: &'a Stage<'a>,
    name: String,
    number: usize,
    kept: Kept,
    told: Vec<(&'static str, Answer)>,
}

fn expand(kinds: &[(Kind, usize)]) -> Vec<Kind> {
    kinds.iter().flat_map(|(kind, times)| vec![*kind; *times]).collect()
}

/// Plays a whole session.
pub fn play(stage: &Stage<'_>, number: usize) -> Played {
    let name = format!("load-{number}");
    let kept = Kept::default();
    let mut session = Session { stage, name: name.clone(), number, kept, told: Vec::new() };
    session.tell("SessionStart", json!({"source": "startup"}));
    session.tell("UserPromptSubmit", json!({"prompt": "do it"}));
    let (parallel, single) = (expand(&PARALLEL), expand(&ONE_BY_ONE));
    assert_eq!(parallel.len() + single.len(), CALLS);
    let mut calls: Vec<Call> = Vec::new();
    // All that is done one by one comes first, so that the network is open until it is closed.
    let turns = single.chunks(TURN).zip(parallel.chunks(TURN));
    for (turn, (single, together)) in turns.enumerate() {
        let begun = calls.len();
        for kind in single {
            calls.push(session.call(*kind, &format!("{turn}-{}", calls.len()), is_tainted(&calls)));
            while *kind == Taint && !has_run(calls.last().unwrap()) {
                calls.push(session.call(Taint, &format!("{turn}-{}", calls.len()), true));
            }
        }
        session.batch(turn, &mut calls[begun..]);
        let begun = calls.len();
        let tainted = is_tainted(&calls);
        std::thread::scope(|scope| {
            let session = &session;
            let one = |(at, kind): (usize, &Kind)| {
                let (kind, id) = (*kind, format!("{turn}-{}", begun + at));
                scope.spawn(move || session.call(kind, &id, tainted))
            };
            let all: Vec<_> = together.iter().enumerate().map(one).collect();
            calls.extend(all.into_iter().map(|one| one.join().unwrap()));
        });
        session.batch(turn, &mut calls[begun..]);
        session.tell("Stop", json!({"stop_hook_active": false}));
    }
    session.tell("SessionEnd", json!({"reason": "other"}));
    Played { session: name, calls, told: session.told }
}

fn has_run(call: &Call) -> bool {
    call.post.is_some()
}

fn is_tainted(calls: &[Call]) -> bool {
    calls.iter().any(|call| call.kind == Taint)
}

impl Session<'_> {
    fn event(&self, name: &str, own: &Value) -> Value {
        let mut event = json!({
            "session_id": self.name, "cwd": self.stage.work, "permission_mode": "default",
            "hook_event_name": name,
        });
        event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        event
    }

    /// A fifth of the sessions speaks HTTP; of the others' calls some start the real client.
    fn way(&self, is_process: bool) -> Way {
        match (self.number % 5, is_process) {
            (4, _) => Way::Http,
            (_, true) => Way::Process,
            (_, false) => Way::Socket,
        }
    }

    fn send(&self, name: &str, is_process: bool, own: &Value) -> Answer {
        let answer =
            self.stage.there.send(self.way(is_process), &self.kept, &self.event(name, own));
        if answer.window {
            self.stage.there.wait();
        }
        answer
    }

    fn tell(&mut self, name: &'static str, own: Value) {
        let answer = self.send(name, false, &own);
        let is_silent = answer.reply.as_ref().is_none_or(|reply| reply.stdout.is_empty());
        assert!(is_silent || answer.window, "{name}: {answer:?}");
        self.told.push((name, answer));
    }

    fn batch(&mut self, turn: usize, calls: &mut [Call]) {
        let one = |call: &Call| {
            let (tool, input, _) = asked(call.kind, &self.stage.work);
            json!({"tool_name": tool, "tool_input": input, "tool_use_id": call.id})
        };
        let own = json!({"tool_calls": calls.iter().map(one).collect::<Vec<_>>()});
        let own = self.acting(turn, own);
        self.tell("PostToolBatch", own);
        let epoch = self.stage.there.epoch.load(SeqCst);
        calls.iter_mut().for_each(|call| call.over_later = call.epoch != epoch);
    }

    /// One turn of a session is a subagent's.
    fn acting(&self, turn: usize, mut own: Value) -> Value {
        if turn == 3 && self.number.is_multiple_of(3) {
            own["agent_id"] = json!("a1");
            own["agent_type"] = json!("general-purpose");
        }
        own
    }

    /// One call: asked about, and, if it may, run and told of.
    fn call(&self, kind: Kind, id: &str, tainted: bool) -> Call {
        let (tool, input, response) = asked(kind, &self.stage.work);
        let turn: usize = id.split_once('-').unwrap().0.parse().unwrap();
        let id = format!("{}:{id}", self.name);
        let own = json!({"tool_name": tool, "tool_input": input, "tool_use_id": id});
        let own = self.acting(turn, own);
        let is_process = self.stage.progress.load(SeqCst).is_multiple_of(32);
        let version = || self.stage.version.load(SeqCst);
        let (before, epoch) = (version(), self.stage.there.epoch.load(SeqCst));
        let pre = self.send("PreToolUse", is_process, &own);
        self.stage.progress.fetch_add(1, SeqCst);
        let versions = (before, version());
        let effect = effect(&pre);
        let (asked_later, over_later, post) = (false, false, None);
        let mut call =
            Call { id, kind, tainted, versions, pre, epoch, asked_later, over_later, post };
        if effect == "deny" {
            return call;
        }
        if effect == "ask" {
            let answer = self.send("PermissionRequest", false, &own);
            call.asked_later = answer.window || self.stage.there.epoch.load(SeqCst) != epoch;
            let reply = answer.reply.filter(|reply| !reply.stdout.is_empty());
            assert!(reply.is_none() || answer.window, "{call:?}: {reply:?}");
            // Every other person says no.
            if reply.is_some() || self.number % 2 == 1 {
                return call;
            }
        }
        let (name, key) = match kind {
            Fails => ("PostToolUseFailure", "error"),
            _ => ("PostToolUse", "tool_response"),
        };
        let mut ran = own;
        ran[key] = response;
        call.post = Some(self.send(name, is_process, &ran));
        call
    }
}

/// What an answer to a PreToolUse comes to for whoever asked.
pub fn effect(answer: &Answer) -> &'static str {
    let Some(reply) = &answer.reply else { return "deny" };
    if reply.stdout.is_empty() {
        assert_eq!(reply.code, 0);
        return "defer";
    }
    let said: Value = serde_json::from_slice(&reply.stdout).unwrap();
    let said = &said["hookSpecificOutput"]["permissionDecision"];
    match (said.as_str(), reply.code) {
        (Some("allow"), 0) => "allow",
        (Some("ask"), 0) => "ask",
        (Some("deny"), 2) => "deny",
        _ => panic!("{reply:?}"),
    }
}

/// Tool, input, and what it brings back if it runs.
fn asked(kind: Kind, work: &str) -> (&'static str, Value, Value) {
    let read = |file: &str, text: &str| {
        let input = json!({"file_path": format!("{work}/{file}")});
        let shown = json!({"filePath": file, "content": text, "numLines": 1});
        ("Read", input, json!({"type": "text", "file": shown}))
    };
    let write = |file: &str| {
        let input = json!({"file_path": format!("{work}/{file}"), "content": "x\n"});
        ("Write", input, json!({"type": "create", "filePath": file, "content": "x\n"}))
    };
    let bash = |command: &str| {
        let output = json!({"stdout": "fine", "stderr": "", "interrupted": false});
        ("Bash", json!({ "command": command }), output)
    };
    let tool = |name| (name, json!({"amount": 300}), json!([{"type": "text", "text": "done"}]));
    match kind {
        Plain => read("src/a.rs", "fn main() {}"),
        Secret => read("secret/k", "hidden"),
        Only => read("only-a/x", "text"),
        Keys => read("env", &format!("id = {KEY}")),
        Taint => read("taint/x", "text"),
        Fetch => {
            let input = json!({"url": "https://docs.example/x", "prompt": "p"});
            ("WebFetch", input, json!({"result": "text", "code": 200}))
        }
        Shell => bash("git status --short | cat"),
        Fails => ("Bash", json!({"command": "git log"}), json!("Exit code 1\nfatal")),
        Write => write("src/b.rs"),
        Ask => write("ci/x.yml"),
        Defer => tool("mcp__other__thing"),
        Few => tool("mcp__shop__few"),
        Pay => tool("mcp__shop__pay"),
        Daily => tool("mcp__shop__daily"),
    }
}
