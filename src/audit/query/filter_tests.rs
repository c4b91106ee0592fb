use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: &str = "2026-11-24T15:30:00Z";

fn filter(pairs: &[(&str, &str)]) -> Filter {
    Filter::from_pairs(pairs.iter().copied(), NOW.parse().unwrap()).unwrap()
}

fn record() -> WireRecord {
    let decision = json!({ "effect": "deny", "basis": "rule", "reason": "no\u{1b}", "rules": [
        { "id": "no-dotenv", "file": "p", "line": 1, "effect": "deny", "match": "yes" },
        { "id": "other", "file": "p", "line": 2, "effect": "ask", "match": "yes" }], "obligations": [] });
    let access = |verb: &str, target: &str| {
        json!({ "verb": verb, "target": target, "certain": true,
        "verdict": "deny" })
    };
    serde_json::from_value(json!({ "v": 1, "seq": 7, "ts": "2026-11-24T10:00:00.000001Z",
        "stream": "s", "kind": "tool.pre", "call": "c-1", "tool_use_id": "t-1", "session": "S1",
        "agent": { "id": "a7", "kind": "Explore" }, "runtime": "claude", "uid": 1000,
        "tool": "mcp:github/delete_repo", "decision": decision, "decided_us": 900,
        "accesses": [access("read", "/work/.env"), access("connect", "POST https://drop.example:8/x"),
            access("exec", "cat /etc/passwd")],
        "policy": { "name": "team@3", "sha256": "ab".repeat(32) },
        "input": { "value": { "q": "say \"hi\"" }, "bytes": 3 },
        "details": { "code": "no_end" }, "prev": "" }))
    .unwrap()
}

#[test]
fn what_fits_and_what_does_not() {
    for (name, text, fits) in [
        ("decision", "deny", true),
        ("decision", "allow,ask", false),
        ("decision", "de*", true),
        ("not-decision", "deny", false),
        ("kind", "tool.pre", true),
        ("tool", "mcp:*", true),
        ("tool", "mcp__*", true),
        ("tool", "mcp__github__delete_repo", true),
        ("tool", "Bash", false),
        ("not-tool", "Bash", true),
        // It asked, and another refused.
        ("rule", "other", false),
        ("matched", "other", true),
        ("matched", "no-dotenv", true),
        ("rule", "-", false),
        ("session", "S?", true),
        ("session", "s1", false),
        ("agent", "a7", true),
        ("agent", "Explore", true),
        ("agent", "Explore/a7", true),
        ("agent", "main", false),
        ("host", "DROP.example", true),
        ("host", "*.example", true),
        ("host", "example", false),
        ("path", ".env", true),
        ("path", "/work/", true),
        ("path", "/work/**", true),
        ("path", "/etc/passwd", false),
        ("uid", "1000", true),
        ("runtime", "codex,claude", true),
        ("code", "no_end", true),
        ("policy", "abab", true),
        ("policy", "sha256:ab", true),
        ("policy", "ac", false),
        ("call", "t-1", true),
        ("call", "c-2", false),
        ("basis", "rule", true),
        ("slower-than", "900us", true),
        ("slower-than", "1ms", false),
        ("grep", "say \"hi\"", true),
        ("grep", "^no\\x1b$", true),
        ("grep", "decided_us", false),
        ("since", "2026-11-24", true),
        ("since", "2h", false),
        ("until", "2026-11-24T10:00:00.000001Z", false),
        ("until", "today", true),
    ] {
        assert_eq!(filter(&[(name, text)]).fits(&record()), fits, "{name} {text}");
    }
    assert!(!filter(&[("tool", "mcp:*"), ("session", "S2")]).fits(&record()));
    assert!(filter(&[]).is_all());
}

#[test]
fn what_cannot_be_meant_is_said() {
    for (name, text, says) in [
        ("tol", "x", "did you mean `tool`?"),
        ("decision", "dney", "did you mean `deny`?"),
        ("tool", "a\\", "half an escape"),
        ("kind", "tool.per", "did you mean `tool.pre`?"),
        ("since", "soon", "no time"),
        ("slower-than", "5", "no duration"),
        ("grep", "(", "unclosed"),
        ("uid", "bob", "no user id"),
        ("policy", "team@3", "no beginning"),
        ("tool", "", "empty"),
        ("tool", "a,,b", "empty"),
        ("now", "then", "no time"),
    ] {
        let error = Filter::from_pairs([(name, text)], NOW.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(says), "{name} {text}: {error}");
    }
}

#[test]
fn a_filter_is_printed_as_a_command() {
    let asked = filter(&[("tool", "mcp:*"), ("rule", "-"), ("grep", "it's"), ("not-path", "/a b")]);
    assert_eq!(asked.to_cli(), "--tool 'mcp:*' --rule=- --not 'path=/a b' -g 'it'\\''s'");
    assert_eq!(filter(&[]).with(Field::Tool, "a*,b").to_cli(), "--tool 'a\\*\\,b'");
}

#[test]
fn commas_within_braces_part_no_words() {
    let rule = "exec.allow:{ls,cat,{a,b}} ...";
    let one = filter(&[("rule", rule)]);
    assert_eq!(one.to_pairs(), [("rule".to_owned(), rule.to_owned())]);
    let words = |text: &str| {
        let asked = filter(&[("rule", text)]);
        asked.literal_words().into_iter().map(|(_, word)| word).collect::<Vec<_>>()
    };
    assert_eq!(words("a{b,c},d"), ["a{b,c}", "d"]);
    assert_eq!(words("a{b,c"), ["a\\{b", "c"]);
    assert_eq!(words("a},{b"), ["a\\}", "\\{b"]);
    assert_eq!(words(r"a\{b,c}"), [r"a\{b", r"c\}"]);
    let mut record = record();
    for rule in record.decision.iter_mut().flat_map(|decision| &mut decision.rules) {
        rule.id = "exec.deny:{a,b}".to_owned();
    }
    assert!(filter(&[("rule", "exec.deny:{a,b}")]).fits(&record));
    assert!(filter(&[("rule", r"exec.deny:{a\,b}")]).fits(&record));
    assert!(filter(&[]).with(Field::Rule, "exec.deny:{a,b}").fits(&record));
    assert!(!filter(&[("rule", "exec.deny:{a")]).fits(&record));
}

proptest! {
    #[test]
    fn what_is_read_from_what_was_printed_is_the_same(
        pairs in prop::collection::vec((
            prop::sample::select(vec!["tool", "session", "rule", "host", "path", "not-agent", "call", "grep"]),
            "[ -~é\u{202e}]{1,12}"), 0..6)
    ) {
        let now = NOW.parse().unwrap();
        if let Ok(filter) = Filter::from_pairs(pairs, now) {
            prop_assert_eq!(&Filter::from_pairs(filter.to_pairs(), now).unwrap(), &filter);
            let decode = |text: &str| {
                let mut bytes = Vec::new();
                let mut rest = text.as_bytes();
                while let Some((byte, after)) = rest.split_first() {
                    if *byte == b'%' {
                        bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                        rest = &after[2..];
                    } else {
                        bytes.push(*byte);
                        rest = after;
                    }
                }
                String::from_utf8(bytes).unwrap()
            };
            let query = filter.to_query();
            let read: Vec<(String, String)> = query.split('&').filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap())
                .map(|(name, text)| (name.to_owned(), decode(text))).collect();
            prop_assert_eq!(&Filter::from_pairs(read, now).unwrap(), &filter);
        }
    }

    #[test]
    fn a_value_that_is_asked_for_is_found(tool in "[ -~é]{1,12}") {
        prop_assume!(tool != "-");
        let record = WireRecord { tool: Some(tool.clone()), ..record() };
        prop_assert!(Filter::default().with(Field::Tool, &tool).fits(&record));
    }
}
