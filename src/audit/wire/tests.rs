use super::*;
use crate::limits::{ACCESSES_MAX, RECORD_BYTES_MAX};
use crate::model::access::{Command, Program, Status, Verb};
use crate::model::call::{CallId, ToolName};
use crate::model::doubt::Doubt;
use crate::model::effect::{Effect, Verdict};
use crate::model::path::{AbsPath, PathTarget};
use crate::model::principal::Runtime;
use crate::model::record::{CaptureLevel, Kind};
use crate::model::truth::Truth;
use crate::model::word::Word;
use serde_json::json;

const STREAM: &str = "01900000-0000-7000-8000-000000000001";

fn redactor() -> &'static Redactor {
    static ONCE: std::sync::OnceLock<Redactor> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| Redactor::shipped().unwrap())
}

fn line(record: Record) -> String {
    let stream = StreamId::parse(STREAM).unwrap();
    let now = "2026-01-02T03:04:05.000006789Z".parse().unwrap();
    let mut out = Vec::new();
    let hash = write_line(&mut out, &body(record, redactor()), None, (&stream, 7, Hash::ZERO), now);
    let line = String::from_utf8(out).unwrap();
    let text = line.strip_suffix('\n').unwrap();
    assert_eq!(hash, Hash::of(text.as_bytes()));
    assert!(line.len() <= RECORD_BYTES_MAX, "{}", line.len());
    assert!(!text.contains(char::is_control), "{text}");
    // One value, one text: what is read is written again byte for byte.
    let read: WireRecord = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    text.to_owned()
}

fn check(record: Record, expected: &str) {
    let zeros = "0".repeat(64);
    let expected: String = expected.lines().map(str::trim_start).collect();
    let head =
        format!(r#"{{"v":1,"seq":7,"ts":"2026-01-02T03:04:05.000006Z","stream":"{STREAM}","#);
    assert_eq!(line(record), format!(r#"{head}{expected},"prev":"{zeros}"}}"#));
}

fn principal(session: &str) -> Principal {
    Principal {
        runtime: Runtime::Claude,
        session: session.to_owned(),
        agent: Agent::Main,
        uid: Some(1000),
        sender: Sender::Unproven,
    }
}

fn fired(id: &str) -> Fired {
    Fired {
        id: id.to_owned(),
        effect: Effect::Deny,
        verb: None,
        truth: Truth::Maybe,
        file: "p.toml".to_owned(),
        line: 31,
        why: None,
        shadow: false,
    }
}

fn decided(accesses: Vec<Judged>) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        attended_verdict: Verdict::Ask,
        reason: "nobody is there to be asked".to_owned(),
        basis: Basis::Unattended,
        rules: vec![fired("no-dotenv"), Fired { shadow: true, ..fired("tried") }],
        accesses,
        obligations: vec![
            Obligation::Mark { label: "seen-secret".to_owned(), proof: false },
            Obligation::ReplaceInput(json!({})),
        ],
        reservations: Vec::new(),
        capture: CaptureLevel::Redacted,
        policy: PolicyId { name: "team@3".to_owned(), sha256: "ab".repeat(32) },
    }
}

fn read(path: &str, verdict: Verdict) -> Judged {
    let target = Target::Read(PathTarget::plain(AbsPath::parse(path).unwrap()));
    Judged { access: Access::certain(target), verdict }
}

fn exec(command: &str) -> Judged {
    let program = Program { word: Word::known(command), file: None, known: false };
    let (args, fed_by, doubts) = (Vec::new(), Vec::new(), Vec::new());
    let command =
        Command { program, args, fed_by, doubts, transparent: false, status: Status::Whole };
    let doubt = Doubt::UnknownProgram("x".to_owned());
    Judged { access: Access::possible(Target::Exec(command), doubt), verdict: Verdict::Ask }
}

#[test]
fn the_least_record() {
    check(Record::new(Kind::ServiceStop), r#""kind":"service.stop""#);
}

#[test]
fn a_whole_record() {
    let mut linked = PathTarget::plain(AbsPath::parse("/work/link").unwrap());
    linked.real = Real::At(AbsPath::parse("/etc/shadow").unwrap());
    let accesses = vec![
        exec("cat"),
        Judged { access: Access::certain(Target::Read(linked)), verdict: Verdict::Deny },
        Judged {
            access: Access::unknown(Verb::Connect, Doubt::CommandOutput),
            verdict: Verdict::Allow,
        },
    ];
    let mut record = Record::new(Kind::ToolPre);
    record.call = Some(CallId("c-1".to_owned()));
    record.principal = Some(Principal {
        agent: Agent::Sub { id: "a1".to_owned(), kind: "main".to_owned() },
        ..principal("s-1")
    });
    record.tool = Some(ToolName::parse("Bash"));
    record.tool_use_id = Some("toolu_1".to_owned());
    record.cwd = Some("/work".to_owned());
    record.decision = Some(Box::new(decided(accesses)));
    record.decided_us = Some(42);
    record.input =
        Some(redactor().capture(
            &json!({ "command": "cat x", "password": "abcd-efgh" }),
            CaptureLevel::Redacted,
        ));
    record.details = vec![("z", json!(1)), ("a", json!([true]))];
    check(
        record,
        r#""kind":"tool.pre","call":"c-1","session":"s-1","agent":{"id":"a1","kind":"main"},
        "runtime":"claude","uid":1000,"sender":"unproven","tool":"Bash","tool_use_id":"toolu_1",
        "cwd":"/work","accesses":[
        {"verb":"exec","target":"cat","certain":false,"verdict":"ask",
        "doubt":"no table describes the program `x`"},
        {"verb":"read","target":"/work/link","real":"/etc/shadow","certain":true,"verdict":"deny"},
        {"verb":"connect","target":"⟨unknown: it is the output of a command⟩","certain":false,
        "verdict":"allow","doubt":"it is the output of a command"}],
        "decision":{"effect":"deny","basis":"unattended","reason":"nobody is there to be asked",
        "rules":[{"id":"no-dotenv","file":"p.toml","line":31,"effect":"deny","match":"maybe"},
        {"id":"tried","file":"p.toml","line":31,"effect":"deny","match":"maybe","shadow":true}],
        "attended":"ask","obligations":["mark:seen-secret","replace_input"]},
        "policy":{"name":"team@3","sha256":"abababababababababababababababababababababababababababababababab"},
        "decided_us":42,
        "input":{"value":{"command":"cat x","password":"[redacted:named-field]"},"bytes":42,
        "redactions":[{"pointer":"/password","detector":"named-field"}]},
        "details":{"a":[true],"z":1}"#,
    );
}

#[test]
fn an_agents_text_cannot_forge_a_line_or_a_key() {
    let mut record = Record::new(Kind::ToolPre);
    record.principal = Some(principal("\",\"effect\":\"allow\"\n{\"v\":1}\r\u{1b}[2K\0\u{2028}"));
    let line = line(record);
    let session = r#""session":"\",\"effect\":\"allow\"\n{\"v\":1}\r\u001b[2K\u0000"#;
    assert!(line.contains(session), "{line}");
}

#[test]
fn secrets_in_texts_that_nobody_redacted_are_redacted() {
    let secret = format!("ghp_{}", "a".repeat(36));
    let mut record = Record::new(Kind::ToolPre);
    record.principal = Some(principal(&secret));
    record.cwd = Some(format!("/work/{secret}"));
    record.tool_use_id = Some(secret.clone());
    record.details = vec![("why", json!({ "x": secret }))];
    let mut decision = decided(vec![exec(&format!("curl -u {secret}"))]);
    decision.reason = format!("`{secret}` is not allowed");
    record.decision = Some(Box::new(decision));
    let line = line(record);
    assert!(!line.contains("ghp_"), "{line}");
    assert_eq!(line.matches("[redacted:github-token]").count(), 6);
}

#[test]
fn the_greatest_record_still_fits_and_shows_what_was_denied() {
    // Control characters are the dearest: six bytes for one.
    let control = |length| "\u{1}".repeat(length);
    let long = control(100_000);
    let mut accesses: Vec<Judged> = (0..ACCESSES_MAX).map(|_| exec(&control(300))).collect();
    accesses.insert(ACCESSES_MAX / 2, read("/etc/shadow", Verdict::Deny));
    accesses.push(exec(&long));
    let mut decision = decided(accesses);
    decision.reason = long.clone();
    decision.rules = (0..1_000).map(|_| fired(&control(1_000))).collect();
    let mark = Obligation::Mark { label: long.clone(), proof: true };
    decision.obligations = vec![mark; 100];
    decision.policy.name = long.clone();
    let mut record = Record::new(Kind::ToolPre);
    record.call = Some(CallId(long.clone()));
    record.principal = Some(Principal {
        agent: Agent::Sub { id: long.clone(), kind: long.clone() },
        ..principal(&long)
    });
    record.tool = Some(ToolName::parse(&long));
    record.tool_use_id = Some(long.clone());
    record.cwd = Some(long.clone());
    record.decision = Some(Box::new(decision));
    let value = json!((0..5_000).map(|_| control(50)).collect::<Vec<_>>());
    let redactions = vec![Redaction::new(&long, &long); 500];
    let capture = Capture { value: Some(value), bytes: 7, redactions, texts: Vec::new() };
    record.input = Some(capture.clone());
    record.output = Some(capture);
    record.details = vec![("a", json!(long)), ("b", json!([long])), ("c", json!(1))];

    let read: WireRecord = serde_json::from_str(&line(record)).unwrap();
    assert!(read.accesses.iter().any(|access| access.target == "/etc/shadow"));
    assert_eq!(read.accesses.len() + read.accesses_more, ACCESSES_MAX + 2);
    let decision = read.decision.unwrap();
    assert_eq!(decision.rules.len() + decision.rules_more, 1_000);
    let input = read.input.unwrap();
    assert!(input.value.unwrap()["sha256"].is_string());
    assert!(read.session.unwrap().contains("…(+"));
}

#[test]
fn a_long_record_gives_up_its_least_first() {
    let mut record = Record::new(Kind::ToolPre);
    record.cwd = Some("/work".to_owned());
    let input = json!({ "command": "x".repeat(3_000) });
    record.input = Some(redactor().capture(&input, CaptureLevel::Redacted));
    let judged = (0..2_000).map(|n| read(&format!("/work/{n}"), Verdict::Allow)).collect();
    record.decision = Some(Box::new(decided(judged)));
    let read: WireRecord = serde_json::from_str(&line(record)).unwrap();
    assert_eq!((read.accesses.len(), read.accesses_more), (256, 1_744));
    assert_eq!(read.accesses[255].target, "/work/255");
    assert_eq!(read.input.unwrap().value, Some(input));
}

#[test]
fn unknown_keys_are_tolerated() {
    let text = line(Record::new(Kind::ServiceStart));
    let newer = text.replacen("\"kind\"", "\"host\":{\"x\":1},\"kind\"", 1);
    let read: WireRecord = serde_json::from_str(&newer).unwrap();
    assert_eq!((read.kind.as_str(), read.seq), ("service.start", 7));
}

#[test]
fn every_basis_has_its_word() {
    let words = [Basis::Rule, Basis::Default, Basis::Unattended, Basis::BuiltIn, Basis::Failsafe];
    let words = words.map(basis);
    assert_eq!(words, ["rule", "default", "unattended", "built-in", "failsafe"]);
    assert_eq!(principal("s").sender, Sender::Unproven);
}

#[test]
fn a_label_that_holds_an_argument_is_told_without_its_secret() {
    let secret = format!("AKIA{}", "A".repeat(16));
    let told = |label: &str| told(label, redactor());
    assert_eq!(told(&format!("seen:{secret}")), "seen:[redacted:aws-access-key-id]");
    assert_eq!(told(&format!("seen:{}", secret.repeat(9))), "seen:*");
    assert_eq!(told("approved:T1"), "approved:T1");
}

#[test]
fn the_state_is_never_cut() {
    let long = "\u{1}".repeat(4_000);
    // As much as one change may be, and as much besides as is written at all.
    let state = json!({ "marked": (0..64).map(|n| format!("{n:0300}")).collect::<Vec<_>>() });
    let mut record = Record::new(Kind::ToolPre);
    record.state = Some(state.clone());
    record.principal = Some(principal(&long));
    record.tool_use_id = Some(long.clone());
    let accesses = (0..500).map(|n| read(&format!("/{n}/{}", "x".repeat(200)), Verdict::Deny));
    record.decision = Some(Box::new(decided(accesses.collect())));
    record.input =
        Some(redactor().capture(&json!({ "x": "y".repeat(39_000) }), CaptureLevel::Full));
    record.details = vec![("a", json!(long)), ("b", json!([long]))];
    let read: WireRecord = serde_json::from_str(&line(record)).unwrap();
    assert_eq!(read.state, Some(state));
}

#[test]
fn a_record_on_which_redacting_panics_says_what_was_decided_and_nothing_else() {
    let mut record = Record::new(Kind::ToolPre);
    record.principal = Some(principal("a secret"));
    record.cwd = Some("/a/secret".to_owned());
    record.decision = Some(Box::new(decided(vec![exec("a secret")])));
    record.input = Some(redactor().capture(&json!({ "x": 1 }), CaptureLevel::Redacted));
    record.details = vec![("why", "a secret".into())];
    record.state = Some(json!({ "n": 1 }));
    let body = body(record, &Redactor::panicking());
    let read: WireRecord = serde_json::from_str(&format!("{{{}}}", body.0)).unwrap();
    assert!(!body.0.contains("a secret"), "{}", body.0);
    assert_eq!(read.details["not-redacted"], true);
    let decision = read.decision.unwrap();
    assert_eq!((decision.effect.as_str(), decision.rules.len()), ("deny", 2));
    assert_eq!((read.state, read.uid), (Some(json!({ "n": 1 })), Some(1000)));
    assert_eq!(read.input.unwrap().value, Some(json!({ "x": 1 })));
}

#[test]
fn what_names_a_kept_text_is_never_cut_off() {
    let long = "\u{1}".repeat(100_000);
    let named =
        |n: usize| Redaction { blob: Some(format!("{n:064}")), ..Redaction::new(&long, &long) };
    let mut redactions = vec![Redaction::new(&long, &long); 300];
    redactions.extend((0..crate::redact::TEXTS_KEPT_MAX).map(named));
    let value = json!((0..5_000).map(|n| format!("{n}{}", "x".repeat(50))).collect::<Vec<_>>());
    let capture = Capture { value: Some(value), bytes: 7, redactions, texts: Vec::new() };
    let mut record = Record::new(Kind::ToolPre);
    record.principal = Some(principal(&long));
    record.input = Some(capture.clone());
    record.output = Some(capture);
    record.decision = Some(Box::new(decided(vec![exec(&long); 100])));
    let read: WireRecord = serde_json::from_str(&line(record)).unwrap();
    for capture in [read.input.unwrap(), read.output.unwrap()] {
        let blobs = capture.redactions.iter().filter(|one| one.blob.is_some()).count();
        assert_eq!(blobs, crate::redact::TEXTS_KEPT_MAX);
        assert_eq!(capture.redactions.len() + capture.redactions_more, 317);
    }
}
