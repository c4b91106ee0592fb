use super::*;
use crate::world::{Reported, Same};
use std::io::Write;
use std::os::unix::fs::symlink;

/// One line of an answer, as Claude Code 2.1.330 writes it.
fn answer(id: &str, model: &str, input: u64, output: u64) -> String {
    let line = serde_json::json!({
        "parentUuid": "04646b87", "isSidechain": false,
        "message": {
            "id": id, "type": "message", "role": "assistant", "model": model,
            "content": [{"type": "text", "text": "first"}],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {
                "input_tokens": input, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": output,
                "cache_creation": {
                    "ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0,
                },
                "service_tier": "standard", "speed": "standard",
            },
        },
        "requestedModel": model, "type": "assistant", "uuid": "8951113f",
    });
    format!("{line}\n")
}

fn other() -> String {
    format!("{}\n", serde_json::json!({"type": "user", "message": {"role": "user"}}))
}

const OPUS: &str = "claude-opus-5-5";

struct Bench {
    scratch: tempfile::TempDir,
    reader: Reader,
}

impl Bench {
    fn new() -> Bench {
        Bench { scratch: tempfile::tempdir().unwrap(), reader: Reader::default() }
    }

    fn path(&self, name: &str) -> AbsPath {
        let root = self.scratch.path().canonicalize().unwrap();
        AbsPath::parse(root.join(name).to_str().unwrap()).unwrap()
    }

    fn append(&self, name: &str, text: &str) {
        let path = self.scratch.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn read(&mut self) -> Result<Counts, String> {
        let uid = nix::unistd::geteuid().as_raw();
        self.reader.read(&self.path("s.jsonl"), &Same { home: None, path: None }, uid)
    }

    /// Turns and thousandths of a dollar.
    fn counts(&mut self) -> (u64, i64) {
        let counts = self.read().unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let cost = (counts.cost_usd * 1000.0).round() as i64;
        (counts.turns, cost)
    }
}

#[test]
fn answers_are_counted_by_id_and_read_once() {
    let mut bench = Bench::new();
    bench.append("s.jsonl", &other());
    assert_eq!(bench.counts(), (0, 0));
    // 1,000 tokens in are 4 thousandths, 1,000 out are 20.
    bench.append("s.jsonl", &answer("m1", OPUS, 1_000, 0));
    bench.append("s.jsonl", &answer("m1", OPUS, 1_000, 1_000));
    assert_eq!(bench.counts(), (1, 24));
    bench.append("s.jsonl", &answer("m2", OPUS, 1_000, 1_000));
    assert_eq!(bench.counts(), (2, 48));
    // Half a line is not read, and read once it is whole.
    let line = answer("m3", OPUS, 1_000, 0);
    let (head, tail) = line.split_at(40);
    bench.append("s.jsonl", head);
    assert_eq!(bench.counts(), (2, 48));
    bench.append("s.jsonl", tail);
    assert_eq!(bench.counts(), (3, 52));
    assert_eq!(bench.read().unwrap().models, BTreeSet::from([OPUS.to_owned()]));
}

#[test]
fn what_the_client_says_of_the_cost_counts_if_it_is_more() {
    let mut bench = Bench::new();
    bench.append("s.jsonl", &answer("m1", OPUS, 1_000, 0));
    bench.append("s.jsonl", "{\"type\":\"cost-state\",\"totalCostUSD\":0.007}\n");
    assert_eq!(bench.counts(), (1, 7));
    bench.append("s.jsonl", "{\"type\":\"cost-state\",\"totalCostUSD\":0.003}\n");
    bench.append("s.jsonl", &answer("m2", OPUS, 1_000, 0));
    assert_eq!(bench.counts(), (2, 8));
}

#[test]
fn subagents_count_too() {
    let mut bench = Bench::new();
    bench.append("s.jsonl", &answer("m1", OPUS, 1_000, 0));
    bench.append("s/subagents/agent-a.jsonl", &answer("m2", "claude-haiku-4-5", 1_000, 0));
    bench.append("s/subagents/agent-a.meta.json", "{}");
    bench.append("s/tool-results/x.jsonl", "no transcript\n");
    assert_eq!(bench.counts(), (2, 5));
    bench.append("s/subagents/deep/agent-b.jsonl", &answer("m3", OPUS, 1_000, 0));
    assert_eq!(bench.counts(), (3, 9));
    assert_eq!(bench.read().unwrap().models.len(), 2);
    // One that is gone may have held what was counted: all is read anew.
    std::fs::remove_dir_all(bench.scratch.path().join("s/subagents/deep")).unwrap();
    assert_eq!(bench.counts(), (2, 5));
}

#[test]
fn what_was_cut_or_replaced_is_read_anew() {
    let mut bench = Bench::new();
    bench.append("s.jsonl", &(answer("m1", OPUS, 1_000, 0) + &answer("m2", OPUS, 1_000, 0)));
    assert_eq!(bench.counts(), (2, 8));
    let file = bench.scratch.path().join("s.jsonl");
    std::fs::write(&file, answer("m3", OPUS, 1_000, 0)).unwrap();
    assert_eq!(bench.counts(), (1, 4));
    std::fs::write(bench.scratch.path().join("t"), answer("m4", OPUS, 1_000, 0).repeat(9)).unwrap();
    std::fs::rename(bench.scratch.path().join("t"), &file).unwrap();
    assert_eq!(bench.counts(), (1, 4));
}

#[test]
fn what_is_dearer_or_unknown_costs_more() {
    for (model, usage, thousandths) in [
        (OPUS, r#"{"input_tokens":1000,"output_tokens":0}"#, 4.0),
        ("unheard-of", r#"{"input_tokens":1000,"output_tokens":0}"#, 15.0),
        (OPUS, r#"{"input_tokens":1000,"output_tokens":0,"speed":"fast"}"#, 15.0),
        (OPUS, r#"{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":1000}"#, 0.2),
        (OPUS, r#"{"input_tokens":0,"output_tokens":0,"cache_creation_input_tokens":1000}"#, 8.0),
        (
            OPUS,
            r#"{"input_tokens":0,"output_tokens":0,"cache_creation_input_tokens":1000,"cache_creation":{"ephemeral_1h_input_tokens":400,"ephemeral_5m_input_tokens":600}}"#,
            6.2,
        ),
    ] {
        let line = format!(
            r#"{{"type":"assistant","message":{{"id":"m","model":"{model}","usage":{usage}}}}}"#
        );
        let Ok(Tells::Answer(answer)) = line::read(line.as_bytes()) else { panic!("{line}") };
        let cost = answer.cost_usd * 1000.0;
        assert!((cost - thousandths).abs() < 1e-9, "{usage}: {cost}");
    }
}

#[test]
fn what_is_not_understood_is_an_error() {
    for text in [
        "no json",
        "[]",
        "{}",
        r#"{"type":1}"#,
        r#"{"type":"user","type":"assistant"}"#,
        r#"{"type":"assistant"}"#,
        r#"{"type":"assistant","message":{}}"#,
        r#"{"type":"cost-state","totalCostUSD":"much"}"#,
        r#"{"type":"assistant","message":{"id":"m","model":"x"}}"#,
        r#"{"type":"assistant","message":{"id":"m","model":"x","usage":{"input_tokens":1}}}"#,
        r#"{"type":"assistant","message":{"id":"m","model":"x","usage":{"input_tokens":-1,"output_tokens":1}}}"#,
    ] {
        let mut bench = Bench::new();
        bench.append("s.jsonl", &answer("m1", OPUS, 1, 1));
        bench.append("s.jsonl", &format!("{text}\n"));
        bench.append("s.jsonl", &answer("m2", OPUS, 1, 1));
        assert!(bench.read().is_err(), "{text}");
        assert!(bench.read().is_err(), "{text}, again");
    }
    assert_eq!(line::read(br#"{"type":"x","message":7}"#), Ok(Tells::Nothing));
    let synthetic = r#"{"type":"assistant","message":{"id":"m","model":"<synthetic>","usage":{"input_tokens":0,"output_tokens":0}}}"#;
    assert_eq!(line::read(synthetic.as_bytes()), Ok(Tells::Nothing));
    let strange = r#"{"type":"assistant","message":{"id":"m","model":"a\nb","usage":{"input_tokens":0,"output_tokens":0}}}"#;
    let Ok(Tells::Answer(answer)) = line::read(strange.as_bytes()) else { panic!("{strange}") };
    assert_eq!(answer.model, "?");
}

#[test]
fn only_the_agents_own_regular_files_are_read() {
    let bench = Bench::new();
    let text = answer("m1", OPUS, 1, 1);
    bench.append("s.jsonl", &text);
    let root = bench.scratch.path();
    symlink(root.join("s.jsonl"), root.join("link.jsonl")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo.jsonl"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::create_dir(root.join("directory.jsonl")).unwrap();
    bench.append("s.txt", &text);
    bench.append("linked.jsonl", &text);
    bench.append("linked/subagents/x", "");
    symlink(root.join("s.jsonl"), root.join("linked/subagents/agent-a.jsonl")).unwrap();
    let world = Same { home: None, path: None };
    let uid = nix::unistd::geteuid().as_raw();
    let read = |name: &str, uid: u32| Reader::default().read(&bench.path(name), &world, uid);
    assert_eq!(read("s.jsonl", uid).unwrap().turns, 1);
    for name in
        ["link.jsonl", "fifo.jsonl", "directory.jsonl", "s.txt", "linked.jsonl", "absent.jsonl"]
    {
        assert!(read(name, uid).is_err(), "{name}");
    }
    if uid != 0 {
        assert!(read("s.jsonl", uid + 1).is_err());
    }
    let nowhere = Reported::default();
    assert!(Reader::default().read(&bench.path("s.jsonl"), &nowhere, uid).is_err());
}

/// A session of Claude Code 2.1.330 with a subagent, recorded; prompts are left out, and the
/// client's own word for what it cost: 0.00144.
#[test]
fn a_recorded_session_costs_what_the_client_itself_says() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/transcripts/claude.jsonl");
    let path = AbsPath::parse(root).unwrap();
    let world = Same { home: None, path: None };
    let uid = std::fs::metadata(root).unwrap().uid();
    let counts = Reader::default().read(&path, &world, uid).unwrap();
    assert_eq!(counts.turns, 6);
    assert!((counts.cost_usd - 0.00144).abs() < 1e-9, "{}", counts.cost_usd);
    assert_eq!(counts.models, BTreeSet::from([OPUS.to_owned()]));
}
