use super::*;

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
