use super::*;
use serde_json::json;

const STREAM: &str = "01900000-0000-7000-8000-000000000001";

fn line(seq: u64, tool: &str, extra: serde_json::Value) -> Vec<u8> {
    let mut record = json!({ "v": 1, "seq": seq, "ts": format!("2026-11-16T00:00:{:02}.000000Z", seq % 60),
        "stream": STREAM, "kind": "tool.pre", "call": format!("c-{seq}"), "tool": tool, "prev": "" });
    for (name, value) in extra.as_object().unwrap() {
        record[name] = value.clone();
    }
    record.to_string().into_bytes()
}

fn lines() -> Vec<Vec<u8>> {
    (1..=600)
        .map(|seq| {
            let rules = json!([{ "id": format!("r{}", seq % 3), "file": "p", "line": 1,
                "effect": "deny", "match": "yes" }]);
            let decision = json!({ "effect": if seq % 5 == 0 { "deny" } else { "allow" },
                "basis": "rule", "reason": "", "rules": rules, "obligations": [] });
            line(
                seq,
                &format!("T{}", seq % 300),
                json!({ "decision": decision, "decided_us": seq }),
            )
        })
        .collect()
}

fn built(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = Builder::new();
    let mut offset = 0;
    for (number, line) in lines.iter().enumerate() {
        builder.line(line);
        if number % 100 == 99 || number + 1 == lines.len() {
            builder.frame(offset, 50);
            offset += 50;
        }
    }
    builder.finish()
}

#[test]
fn what_the_lines_say_the_columns_say() {
    let bytes = built(&lines());
    assert_eq!(bytes, built(&lines()));
    let index = Index::from_bytes(bytes.clone()).unwrap();
    assert_eq!(index.rows(), 600);
    assert_eq!(index.frames().unwrap().len(), 6);
    let tools = index.field(Field::Tool).unwrap();
    assert_eq!(tools.entries.len(), 300);
    assert_eq!(tools.entries[tools.codes[10] as usize], ["T11"]);
    let effects = index.field(Field::Decision).unwrap();
    assert_eq!(effects.entries[effects.codes[4] as usize], ["deny"]);
    assert_eq!(index.decided().unwrap()[7], 9);
    assert_eq!(index.marks().unwrap()[0][3], mark("c-4"));
    assert!(reads_whole(&bytes) && super::read::same(&bytes, &bytes));
}

#[test]
fn every_flipped_byte_is_found() {
    let bytes = built(&lines()[..40]);
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 0x20;
        assert!(!reads_whole(&changed), "byte {place}");
    }
    for length in 0..bytes.len() {
        assert!(!reads_whole(&bytes[..length]), "{length} bytes");
    }
}

#[test]
fn lines_that_no_index_can_hold_are_said() {
    let good = lines();
    for odd in
        [b"no record".to_vec(), line(9_999, "gap", json!({})), b"{\"v\":1,\"seq\":3}".to_vec()]
    {
        let bytes = built(&[good[0].clone(), good[1].clone(), odd]);
        assert!(matches!(Index::from_bytes(bytes), Err(Unusable::Odd)));
    }
}
