//! Who works: people by day, jobs by night, each in one session after the other.

use super::calls::{self, Act};
use super::random::Random;
use super::{DAY, HOUR, MONDAY, policy};
use serde_json::{Value, json};
use toolgate::audit::wire::{WireAgent, WireRecord};

/// Records of one call on average, its questions and ends included.
const RECORDS_PER_CALL: u64 = 2;
/// Sessions hold so many calls at most.
const CALLS_MAX: i64 = 120;

/// Somebody's work: one session, and after it the next.
pub struct Session {
    /// Who: a user id of the machine.
    uid: u32,
    name: &'static str,
    runtime: &'static str,
    /// By day somebody is there to be asked.
    by_day: bool,
    /// Microseconds between two calls, about.
    pace: i64,
    sessions: u64,
    calls: u64,
    left: i64,
    project: &'static str,
    /// A subagent at work, for so many calls.
    sub: Option<(String, i64)>,
}

/// The team. More records are more calls in the same week.
pub fn all(records: u64, random: &mut Random) -> Vec<Session> {
    let team: [(u32, &str, &str, bool); 7] = [
        (1000, "ada", "claude", true),
        (1001, "ben", "claude", true),
        (1002, "cleo", "codex", true),
        (1003, "dan", "claude", true),
        (1004, "eve", "codex", true),
        (990, "nightly", "claude", false),
        (991, "triage", "claude", false),
    ];
    // Five work nine hours on five days, two jobs eight hours on seven nights.
    let working = 5 * 5 * 9 * HOUR + 2 * 7 * 8 * HOUR;
    let calls = (records / RECORDS_PER_CALL).max(1) as i64;
    // A little faster than needed, so that the week never ends before its records do.
    let pace = (working / calls).max(20) * 98 / 100;
    let session = |(uid, name, runtime, by_day): (u32, &'static str, &'static str, bool),
                   random: &mut Random| Session {
        uid,
        name,
        runtime,
        by_day,
        pace: pace.max(2),
        sessions: 0,
        calls: 0,
        left: 0,
        project: calls::project(random),
        sub: None,
    };
    team.into_iter().map(|person| session(person, random)).collect()
}

impl Session {
    /// When it goes on after `time`: not outside of its hours.
    pub fn wakes(&self, time: i64, random: &mut Random) -> i64 {
        let mut next = time + self.pace / 2 + random.below(self.pace.max(2)) + 1;
        loop {
            let (day, hour) = ((next - MONDAY) / DAY, (next - MONDAY) % DAY / HOUR);
            let works = match self.by_day {
                true => day % 7 < 5 && (8..17).contains(&hour),
                false => !(6..22).contains(&hour),
            };
            if works {
                return next;
            }
            next = next - (next - MONDAY) % HOUR + HOUR + random.below(self.pace.max(2));
        }
    }

    /// What comes of its being awake at `time`: records at that time and soon after.
    pub fn next(&mut self, time: i64, random: &mut Random) -> Vec<(i64, WireRecord)> {
        let mut records = Vec::new();
        if self.left == 0 {
            if self.sessions > 0 {
                let details = json!({ "event": "SessionEnd", "reason": "prompt_input_exit" });
                records.push((time, self.event("session.end", details)));
            }
            self.sessions += 1;
            self.left = 10 + random.below(CALLS_MAX - 10);
            self.project = calls::project(random);
            self.sub = None;
            let details = json!({ "event": "SessionStart", "permission_mode": "default",
                "source": "startup", "model": "opus" });
            records.push((time + 1, self.event("session.start", details)));
        }
        self.left -= 1;
        let act = calls::any(time, self.project, self.by_day, random);
        self.call(time + 2, act, random, &mut records);
        if random.once_in(300) {
            let details = json!({ "event": "UserPromptSubmit", "permission_mode": "default" });
            records.push((time + 3, self.event("runtime.event", details)));
        }
        records
    }

    fn call(
        &mut self,
        time: i64,
        act: Act,
        random: &mut Random,
        records: &mut Vec<(i64, WireRecord)>,
    ) {
        self.calls += 1;
        let number = self.calls;
        let spawned = act.tool == "Agent";
        let mut pre = self.of("tool.pre");
        pre.call = Some(format!("{}-{number:07}", self.name));
        pre.tool = Some(act.tool);
        pre.tool_use_id = Some(format!("toolu_{}{number:07}", self.name));
        pre.cwd = Some(format!("/work/{}", self.project));
        let base = WireRecord { kind: String::new(), ..pre.clone() };
        let effect = act.decision.effect.clone();
        pre.accesses = act.accesses;
        pre.decision = Some(act.decision);
        pre.policy = Some(policy::at(time));
        pre.decided_us = Some(match random.below(2_000) {
            0 => 400_000 + random.below(1_200_000) as u64,
            1..=20 => 4_000 + random.below(30_000) as u64,
            _ => 60 + random.below(900) as u64,
        });
        pre.input = Some(act.input);
        let waited = (2 + random.below(90)) * 1_000_000;
        let lasted = 1_000 + random.below(self.pace.clamp(2_000, 20_000_000));
        records.push((time, pre));
        let mut runs = time + lasted;
        match effect.as_str() {
            "deny" => return,
            "ask" => {
                // A push is always let through; a repository is deleted every other time.
                let is_push = base.tool.as_deref() == Some("Bash");
                let yes = is_push || random.once_in(2);
                let mut approval = of_kind(&base, "approval");
                approval.details =
                    policy::fields(json!({ "answer": if yes { "yes" } else { "no" },
                    "by": "the runtime's own prompt" }));
                records.push((time + waited, approval));
                if !yes {
                    return;
                }
                runs += waited;
            }
            _ => {}
        }
        if random.once_in(700) {
            let mut lost = of_kind(&base, "tool.unknown");
            lost.details = policy::fields(json!({ "outcome": "unknown" }));
            records.push((runs, lost));
            let mut finding = of_kind(&base, "finding");
            finding.details =
                policy::fields(json!({ "code": "no_end", "what": ["its end was never told"] }));
            records.push((runs + 1, finding));
        } else {
            let mut post = of_kind(&base, "tool.post");
            if random.once_in(8) {
                post.decision = Some(calls::allow(time, "everyday"));
                post.policy = Some(policy::at(runs));
                post.decided_us = Some(40 + random.below(300) as u64);
            }
            post.output = Some(calls::capture(act.output));
            post.details = policy::fields(json!({ "took_ms": lasted / 1_000 }));
            records.push((runs, post));
        }
        self.subagent(spawned, random);
    }

    /// An Explore agent works for some calls in its parent's place.
    fn subagent(&mut self, spawned: bool, random: &mut Random) {
        if spawned {
            let id = format!("a{:07x}", random.next() & 0xfff_ffff);
            self.sub = Some((id, 3 + random.below(9)));
        } else if let Some((_, left)) = &mut self.sub {
            *left -= 1;
            if *left == 0 {
                self.sub = None;
            }
        }
    }

    fn event(&self, kind: &str, details: Value) -> WireRecord {
        let mut record = self.of(kind);
        record.details = policy::fields(details);
        record
    }

    fn of(&self, kind: &str) -> WireRecord {
        let agent = match &self.sub {
            Some((id, _)) => WireAgent { id: Some(id.clone()), kind: "Explore".to_owned() },
            None => WireAgent { id: None, kind: "main".to_owned() },
        };
        WireRecord {
            kind: kind.to_owned(),
            session: Some(format!("{}-{:05}", self.name, self.sessions)),
            agent: Some(agent),
            runtime: Some(self.runtime.to_owned()),
            uid: Some(self.uid),
            sender: Some("proven".to_owned()),
            ..WireRecord::default()
        }
    }
}

fn of_kind(base: &WireRecord, kind: &str) -> WireRecord {
    WireRecord { kind: kind.to_owned(), ..base.clone() }
}
