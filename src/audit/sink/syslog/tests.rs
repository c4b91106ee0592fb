use super::*;
use crate::audit::wire::{WireDecision, WireRecord};
use crate::limits::RECORD_BYTES_MAX;
use proptest::prelude::*;

fn header() -> Header {
    Header::of_this_process(Facility::parse("authpriv").unwrap())
}

fn record(effect: Option<&str>, tool: &str, session: &str) -> WireRecord {
    let decision = effect.map(|effect| WireDecision {
        effect: effect.to_owned(),
        basis: "rule".to_owned(),
        reason: String::new(),
        rules: Vec::new(),
        rules_more: 0,
        attended: None,
        obligations: Vec::new(),
    });
    WireRecord {
        seq: 7,
        ts: "2026-01-02T03:04:05.000006Z".to_owned(),
        stream: "01900000-0000-7000-8000-000000000001".to_owned(),
        kind: "tool.pre".to_owned(),
        tool: Some(tool.to_owned()),
        session: Some(session.to_owned()),
        decision,
        ..WireRecord::default()
    }
}

/// A message taken apart by the grammar of RFC 5424, section 6, and nothing else.
#[derive(Debug, PartialEq)]
struct Parsed {
    priority: u32,
    header: Vec<String>,
    params: Vec<(String, String)>,
    message: String,
}

fn parse(message: &[u8]) -> Parsed {
    let text = std::str::from_utf8(message).unwrap();
    let (priority, rest) = text.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert!(priority.len() <= 3 && (priority == "0" || !priority.starts_with('0')), "{priority}");
    let rest = rest.strip_prefix("1 ").unwrap();
    let fields: Vec<&str> = rest.splitn(6, ' ').collect();
    for (field, most) in fields[..5].iter().zip([32, 255, 48, 128, 32]) {
        assert!(!field.is_empty() && field.len() <= most, "{field}");
        assert!(field.bytes().all(|byte| byte.is_ascii_graphic()), "{field}");
    }
    let mut data = fields[5].strip_prefix("[toolgate@32473").unwrap().chars().peekable();
    let mut params = Vec::new();
    while data.peek() == Some(&' ') {
        data.next();
        let name: String = data.by_ref().take_while(|char| *char != '=').collect();
        assert!(!name.is_empty() && name.len() <= 32, "{name}");
        assert_eq!(data.next(), Some('"'));
        let mut value = String::new();
        loop {
            match data.next().unwrap() {
                '"' => break,
                '\\' => {
                    let escaped = data.next().unwrap();
                    assert!(['"', '\\', ']'].contains(&escaped), "{escaped}");
                    value.push(escaped);
                }
                char => {
                    assert!(char != ']' && !char.is_control(), "{char:?}");
                    value.push(char);
                }
            }
        }
        params.push((name, value));
    }
    assert_eq!((data.next(), data.next()), (Some(']'), Some(' ')));
    let header = fields[..5].iter().map(|field| (*field).to_owned()).collect();
    let message = data.collect();
    Parsed { priority: priority.parse().unwrap(), header, params, message }
}

#[test]
fn a_record_is_a_message() {
    let line = r#"{"v":1,"seq":7}"#;
    let record = record(Some("deny"), "mcp:x/y", "a\"b]c\\d\n");
    let parsed = parse(&header().message(&record, line, 10_000));
    assert_eq!((parsed.priority, parsed.message.as_str()), (10 * 8 + 4, line));
    assert_eq!(parsed.header[0], "2026-01-02T03:04:05.000006Z");
    assert_eq!(parsed.header[2..], ["toolgate", &std::process::id().to_string(), "tool.pre"]);
    let params = [
        ("stream", "01900000-0000-7000-8000-000000000001"),
        ("seq", "7"),
        ("decision", "deny"),
        ("tool", "mcp:x/y"),
        ("session", "a\"b]c\\d\u{fffd}"),
    ];
    assert_eq!(parsed.params, params.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn severity_follows_from_what_happened() {
    for (effect, kind, severity) in [
        (Some("deny"), "tool.pre", 4),
        (Some("ask"), "tool.pre", 5),
        (Some("allow"), "tool.post", 6),
        (Some("defer"), "tool.pre", 6),
        (None, "finding", 4),
        (None, "bad_input", 4),
        (None, "service.start", 6),
    ] {
        let record = WireRecord { kind: kind.to_owned(), ..record(effect, "t", "s") };
        assert_eq!(parse(&header().message(&record, "{}", 1_000)).priority % 8, severity);
    }
    assert_eq!(Facility::parse("local7").map(|_| ()), Some(()));
    assert_eq!(Facility::parse("audit"), None);
}

#[test]
fn a_message_that_is_too_long_is_cut_and_says_so() {
    let line = "é".repeat(RECORD_BYTES_MAX / 2);
    for most in [500, 501, 502, 65_507] {
        let message = header().message(&record(None, "t", "s"), &line, most);
        assert!(message.len() <= most && message.len() + 2 > most, "{}", message.len());
        let parsed = parse(&message);
        assert!(parsed.params.contains(&("cut".to_owned(), "true".to_owned())));
    }
}

proptest! {
    #[test]
    fn no_record_makes_another_message(
        kind in any::<String>(),
        ts in any::<String>(),
        stream in any::<String>(),
        tool in ".{0,300}",
        session in any::<String>(),
        most in 1_000_usize..20_000,
    ) {
        let record = WireRecord { kind, ts, stream, ..record(Some("allow"), &tool, &session) };
        let line = serde_json::to_string(&record).unwrap();
        let message = header().message(&record, &line, most);
        prop_assert!(message.len() <= most.max(2_000));
        let parsed = parse(&message);
        prop_assert!(line.starts_with(&parsed.message));
    }
}
