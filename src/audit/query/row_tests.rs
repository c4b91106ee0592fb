use super::*;
use crate::audit::query::Field;
use crate::audit::wire::{WireAccess, WireAgent};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn hosts_are_found_in_what_is_shown() {
    for (target, host) in [
        ("GET https://docs.rs/a:b", Some("docs.rs")),
        ("https://h.example:8080/?q", Some("h.example")),
        ("h.example:22", Some("h.example")),
        ("https://[::1]:444/x", Some("::1")),
        ("unix:/run/x.sock", None),
        ("⟨unknown: a text⟩", None),
        ("", None),
    ] {
        assert_eq!(host_of(target), host, "{target}");
    }
}

#[test]
fn an_argument_cannot_pass_for_a_field() {
    let line = br#"{"v":1,"seq":1,"ts":"","stream":"","kind":"k","tool":"a\",\"tool\":\"b","input":{"value":{"tool":"x","decision":{"effect":"deny"}},"bytes":1},"prev":""}"#;
    let mut reader = Reader::of(Parts::ALL);
    let row = reader.read(line).unwrap();
    assert_eq!(row.tool().as_deref(), Some("a\",\"tool\":\"b"));
    assert_eq!(row.effect(), None);
}

/// Records as the writer writes them, of whatever texts an agent may choose.
fn written() -> impl Strategy<Value = WireRecord> {
    let text = || prop_oneof!["[a-z\"\\\\{}\\[\\],:é\n]{0,12}", Just("\"decision\":{".to_owned())];
    let maybe = move || proptest::option::of(text());
    let access =
        (text(), text(), maybe(), any::<bool>()).prop_map(|(verb, target, real, certain)| {
            WireAccess { verb, target, real, certain, verdict: "allow".to_owned(), doubt: None }
        });
    let accesses = proptest::collection::vec(access, 0..3);
    let decision = (text(), text(), proptest::collection::vec(text(), 0..3));
    let texts = (text(), maybe(), maybe(), maybe(), maybe(), maybe(), maybe(), maybe());
    let numbers = (any::<u64>(), any::<Option<u32>>(), any::<Option<u64>>());
    (texts, accesses, proptest::option::of(decision), numbers).prop_map(
        |((kind, call, session, agent, runtime, tool, tool_use_id, cwd), accesses, decision, numbers)| {
            let (seq, uid, decided_us) = numbers;
            let rule = |id: String| {
                json!({ "id": id, "file": "p", "line": 1, "effect": "deny", "match": "yes" })
            };
            let decision = decision.map(|(effect, basis, rules)| {
                let rules: Vec<_> = rules.into_iter().map(rule).collect();
                json!({ "effect": effect, "basis": basis, "reason": "", "rules": rules })
            });
            let input = json!({ "value": { "decision": { "effect": "deny" }, "tool": "x",
                "text": tool }, "bytes": 3 });
            WireRecord {
                v: 1,
                seq,
                ts: "2026-11-24T10:00:00.000001Z".to_owned(),
                stream: "01900000-0000-7000-8000-000000000001".to_owned(),
                kind,
                call,
                session,
                agent: agent.map(|kind| WireAgent { id: None, kind }),
                runtime,
                uid,
                tool,
                tool_use_id,
                cwd,
                accesses,
                decision: decision.map(|one| serde_json::from_value(one).unwrap()),
                decided_us,
                input: Some(serde_json::from_value(input).unwrap()),
                details: [("code".to_owned(), json!("no_end"))].into(),
                ..WireRecord::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn what_the_writer_wrote_is_read_alike_each_way(
        record in written(), asked in proptest::collection::vec(0..Field::ALL.len(), 1..4)
    ) {
        let line = serde_json::to_vec(&record).unwrap();
        let fields: Vec<Field> = asked.into_iter().map(|place| Field::ALL[place]).collect();
        let parts = fields.iter().fold(Parts::of(&[Part::Ts]), |all, one| all.or(one.parts()));
        let told = |row: &Row<'_>| {
            let mut all = vec![format!("{:?}", row.time())];
            for field in &fields {
                field.each(row, |value| all.push(format!("{field} {value}")));
            }
            all
        };
        let mut reader = Reader::of(parts);
        let slow = told(&reader.read_odd(&line).unwrap());
        prop_assert_eq!(&told(&reader.read(&line).unwrap()), &slow);
        prop_assert_eq!(&told(&reader.read_written(&line).unwrap()), &slow);
        // None of them is too odd for the quick ways.
        let (mut whole, mut written) = (Found::EMPTY, Found::EMPTY);
        prop_assert!(whole.whole(&line, Wanted::of(parts)).is_some());
        prop_assert!(written.written(&line, Wanted::of(parts)).is_some());
    }
}
