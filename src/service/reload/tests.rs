use super::super::config::PolicyFiles;
use super::*;
use crate::audit::{Journal, Options, records};
use crate::author::call::{Circumstances, facts_of};
use crate::facts::Place;
use crate::gate::Bound;
use crate::model::access::Verb;
use crate::model::decision::Basis;
use crate::model::record::{Kind, Record};
use crate::policy::document::CallText;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn policy(name: &str) -> String {
    format!("schema = 1\n[policy]\nname = \"{name}\"\ndefault = \"deny\"\n")
}

/// A reloader over files of the test's own, which is asked by hand and never by a clock.
struct Bench {
    reloader: Reloader,
    reloads: Reloads,
    gate: Arc<Gate>,
    scratch: tempfile::TempDir,
}

impl Bench {
    fn new(text: &str) -> Bench {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("policy.toml");
        std::fs::write(&file, text).unwrap();
        let config = super::super::config::Config {
            policy: PolicyFiles {
                files: vec![file.clone()],
                org: PathBuf::new(),
                poll_seconds: 0,
                ..PolicyFiles::default()
            },
            ..super::super::config::Config::default()
        };
        let places = Places::of(&config);
        let redactor = Redactor::shipped().unwrap();
        let own = Own::of(&config, &places, None, &scratch.path().join("audit")).unwrap();
        let sources = places.sources().unwrap();
        let anchors = crate::policy::pattern::Anchors::frozen(None);
        let protected = own.protected();
        let bound = load::load(&sources, anchors, &protected, &redactor).unwrap();
        let options = Options::new(redactor.clone());
        let journal = Journal::open(&scratch.path().join("audit"), options).unwrap();
        let gate = Gate::new(bound, redactor.clone(), journal);
        let started_with = (&sources[..], protected);
        let (reloader, reloads) =
            Reloader::new(Arc::clone(&gate), (places, own), started_with, redactor, &config.policy);
        Bench { reloader, reloads, gate, scratch }
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("policy.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    fn in_force(&self) -> String {
        self.gate.in_force().policy.id.name.clone()
    }

    /// The causes of all records of this kind.
    fn causes(&self, kind: Kind) -> Vec<String> {
        let all = records(&self.scratch.path().join("audit")).unwrap();
        all.map(|entry| entry.unwrap().record)
            .filter(|record| record.kind == kind.as_str())
            .map(|record| record.details["cause"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn the_poll_acts_on_what_two_looks_have_seen_alike() {
    let mut bench = Bench::new(&policy("one"));
    let two = policy("two");
    // A file cut at the end of a line may be a policy of its own: it is not taken.
    bench.write(&two);
    bench.reloader.look().await;
    assert_eq!(bench.in_force(), "one");
    bench.write(&format!("{two}[read]\n"));
    bench.reloader.look().await;
    bench.write(&format!("{two}[read]\nallow = [\"/a\"]\n"));
    bench.reloader.look().await;
    assert_eq!(bench.in_force(), "one");
    bench.reloader.look().await;
    assert_eq!(bench.in_force(), "two");
    assert_eq!(bench.gate.in_force().policy.layers[0].rules.len(), 1);
    bench.reloader.look().await;
    assert_eq!(bench.causes(Kind::PolicyLoad), ["poll"]);
    assert!(bench.causes(Kind::PolicyRefused).is_empty());
}

#[tokio::test]
async fn the_poll_refuses_the_same_files_once() {
    let mut bench = Bench::new(&policy("one"));
    let refused = |bench: &Bench| bench.causes(Kind::PolicyRefused).len();
    let looks = async |bench: &mut Bench| {
        for _ in 0..4 {
            bench.reloader.look().await;
        }
    };
    bench.write("schema = 2\n");
    looks(&mut bench).await;
    assert_eq!(refused(&bench), 1);
    // Gone is another thing, and told once as well.
    std::fs::remove_file(bench.file()).unwrap();
    looks(&mut bench).await;
    assert_eq!(refused(&bench), 2);
    // Once they were right again, the same mistake is a new one.
    bench.write(&policy("one"));
    looks(&mut bench).await;
    assert_eq!(bench.reloads.standing().last.unwrap().outcome, Outcome::Unchanged);
    bench.write("schema = 2\n");
    looks(&mut bench).await;
    assert_eq!(refused(&bench), 3);
    // Whoever asks is answered each time.
    for _ in 0..2 {
        assert!(matches!(bench.reloader.reload("command").await.outcome, Outcome::Refused(_)));
    }
    looks(&mut bench).await;
    assert_eq!(bench.causes(Kind::PolicyRefused), ["poll", "poll", "poll", "command", "command"]);
    assert!(bench.causes(Kind::PolicyLoad).is_empty());
    assert_eq!(bench.in_force(), "one");
}

#[tokio::test]
async fn all_who_ask_meanwhile_are_answered_by_one_reload() {
    let bench = Bench::new(&policy("one"));
    bench.write(&policy("two"));
    let mut waiting = Vec::new();
    for cause in [Cause::Command, Cause::Sighup, Cause::Command] {
        let (answer, attempt) = oneshot::channel();
        bench.reloads.asks.try_send(Ask { cause, answer: Some(answer) }).unwrap();
        waiting.push(attempt);
    }
    // More than there is room for, and none is waited for.
    for _ in 0..2 * RELOAD_QUEUE_MAX {
        bench.reloads.reload_soon(Cause::Sighup);
    }
    let Bench { reloader, reloads, gate, scratch } = bench;
    let running = tokio::spawn(reloader.run());
    for attempt in waiting {
        let attempt = attempt.await.unwrap();
        assert_eq!(attempt.outcome, Outcome::Loaded);
        assert_eq!(attempt.policy.name, "two");
    }
    let all: Vec<_> = records(&scratch.path().join("audit")).unwrap().map(Result::unwrap).collect();
    let loads: Vec<_> = all.iter().filter(|entry| entry.record.kind == "policy.load").collect();
    assert_eq!(loads.len(), 1);
    assert_eq!(loads[0].record.details["cause"], "sighup+command");
    assert_eq!(reloads.reload(Cause::Command).await.unwrap().outcome, Outcome::Unchanged);
    assert_eq!(gate.in_force().policy.id.name, "two");
    drop(reloads);
    // Nobody can ask any more.
    running.await.unwrap();
}

#[tokio::test]
async fn files_that_lie_elsewhere_are_protected_there() {
    let mut bench = Bench::new(&policy("one"));
    let other = bench.scratch.path().join("other.toml");
    std::fs::copy(bench.file(), &other).unwrap();
    let holds = |bench: &Bench, path: &Path| {
        let path = super::super::config::absolute(&path.canonicalize().unwrap()).unwrap();
        let bound = bench.gate.in_force();
        let Bound { policy, anchors } = &*bound;
        let world = crate::world::Frozen::default();
        let place = Place { world: &world, workspace: &anchors.workspace, tmp: &anchors.tmp };
        let around = Circumstances::plain(anchors.workspace.clone());
        let text = CallText::Bare(Verb::Write, path.to_string());
        let facts = facts_of(&text, &around, &policy.tools, &place);
        crate::engine::decide(policy, &facts, &Redactor::shipped().unwrap()).basis == Basis::BuiltIn
    };
    assert!(!holds(&bench, &other));
    std::fs::remove_file(bench.file()).unwrap();
    symlink(&other, bench.file()).unwrap();
    assert_eq!(bench.reloader.reload("command").await.outcome, Outcome::Loaded);
    assert!(holds(&bench, &other));
    assert_eq!(bench.reloader.reload("command").await.outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn a_policy_whose_record_cannot_be_written_does_not_come_into_force() {
    let mut bench = Bench::new(&policy("one"));
    let audit = bench.scratch.path().join("audit");
    std::fs::rename(&audit, bench.scratch.path().join("elsewhere")).unwrap();
    bench.write(&policy("two"));
    let attempt = bench.reloader.reload("command").await;
    assert!(matches!(&attempt.outcome, Outcome::Refused(why) if why.contains("the log")));
    assert_eq!(attempt.policy.name, "one");
    assert_eq!(bench.in_force(), "one");
    // As long as the log is gone, and so is this.
    assert!(bench.gate.note(Record::new(Kind::Finding)).await.is_err());
    assert!(matches!(bench.reloader.reload("command").await.outcome, Outcome::Refused(_)));
}

#[tokio::test]
async fn a_load_that_fails_inside_or_never_ends_is_refused() {
    let mut bench = Bench::new(&policy("one"));
    let failed: Result<(), String> = bench.reloader.beside(|| panic!("on purpose")).await;
    assert!(failed.unwrap_err().contains("internal error"));
    bench.write(&policy("two"));
    let stuck = Arc::clone(&bench.reloader.busy).try_acquire_owned().unwrap();
    let attempt = bench.reloader.reload("command").await;
    assert!(matches!(&attempt.outcome, Outcome::Refused(why) if why.contains("earlier reload")));
    bench.reloader.look().await;
    assert_eq!(bench.causes(Kind::PolicyRefused), ["command"]);
    drop(stuck);
    assert_eq!(bench.reloader.reload("command").await.outcome, Outcome::Loaded);
    assert_eq!(bench.in_force(), "two");
}

#[tokio::test]
async fn what_is_told_of_a_refused_policy_is_bounded() {
    let mut bench = Bench::new(&policy("one"));
    let wrong: String = (0..10_000).map(|n| format!("[[rule]]\nid = \"r{n}\"\nx = 1\n")).collect();
    let cases = [
        format!("{}{wrong}", policy("many")),
        // One mistake that is as long as the file.
        format!("{}{} = 1\n", policy("long"), "x".repeat(1_000_000)),
    ];
    for text in cases {
        bench.write(&text);
        let Outcome::Refused(why) = bench.reloader.reload("command").await.outcome else {
            panic!("it was not refused")
        };
        assert!(why.contains("error[P0") && why.len() <= RELOAD_TOLD_BYTES_MAX, "{}", why.len());
    }
    let all = records(&bench.scratch.path().join("audit")).unwrap().map(Result::unwrap);
    let refused: Vec<_> =
        all.map(|entry| entry.record).filter(|record| record.kind == "policy.refused").collect();
    for record in &refused {
        assert!(record.details["why"].as_str().unwrap().contains("error[P0"), "{record:?}");
        assert_eq!(record.details["files"][0]["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(record.details["in_force"], "one");
    }
    assert_eq!(refused.len(), 2);
}
