//! Any bytes: what is taken for the name of an event that was cut short is what the event states,
//! however it goes on; and whatever is written to a client, nothing but 200 goes out, the same in
//! whatever pieces it was written.

use toolgate::plane::hook::glimpse::event_name;
use toolgate::plane::hook::http::wire::Outgoing;

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    glimpse(bytes);
    outgoing(bytes);
}

fn glimpse(bytes: &[u8]) {
    let Some(name) = event_name(bytes) else { return };
    // Only a beginning has a name, and more of it never has another.
    assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_err());
    for end in [&b"}"[..], b",\"x\":1}", b"\"}", b"]}", b",\"x\":"] {
        let longer = [bytes, end].concat();
        assert!(event_name(&longer).is_none_or(|other| other == name));
        if let Ok(event) = serde_json::from_slice::<serde_json::Value>(&longer) {
            assert_eq!(event["hook_event_name"], name.as_str());
        }
    }
}

fn outgoing(bytes: &[u8]) {
    let pass = |size: usize| {
        let (mut outgoing, mut out) = (Outgoing::default(), Vec::new());
        bytes.chunks(size).for_each(|chunk| outgoing.pass(chunk, &mut out));
        (out, outgoing.is_between(), outgoing.has_swallowed())
    };
    let whole = pass(usize::MAX);
    assert_eq!(whole, pass(1));
    assert_eq!(whole, pass(7));
    let heads = [&b"HTTP/1.1 200"[..], b"HTTP/1.0 200", b"HTTP/1.1 100"];
    let (out, _, has_swallowed) = whole;
    assert!(out.is_empty() || heads.iter().any(|head| out.starts_with(head)));
    // All of it, or all up to what must not go out, is not there yet, or follows the last answer.
    assert!(bytes.starts_with(&out));
    assert!(!has_swallowed || out.len() < bytes.len());
}
