//! Any bytes, as a message and as a question: one that is read names what hickory reads in it, and
//! every answer is one to hickory, within its bound, and is never answered itself.

use hickory_resolver::proto::op::Message;
use std::net::IpAddr;
use toolgate::plane::egress::dns::{Answer, Malformed, read_query};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    one(bytes);
    one(&[&b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"[..], bytes].concat());
    one(&[&b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01"[..], bytes].concat());
}

fn one(bytes: &[u8]) {
    let query = match read_query(bytes) {
        Ok(query) => query,
        Err(Malformed::Answered(answer)) => return answered(&answer),
        Err(Malformed::Silent) => return,
    };
    if let (Ok(name), Ok(theirs)) = (&query.name, Message::from_vec(bytes)) {
        let theirs = theirs.queries[0].name.to_lowercase();
        assert_eq!(name.as_str().as_bytes(), theirs.iter().collect::<Vec<_>>().join(&b'.'));
    }
    let addresses: Vec<IpAddr> =
        ["192.0.2.1", "2001:db8::1"].iter().cycle().take(60).map(|a| a.parse().unwrap()).collect();
    for answer in [Answer::Addresses(&addresses, 9), Answer::NoData, Answer::NoName] {
        let max = usize::from(query.udp_bytes_max);
        let bytes = query.answer(&answer, max);
        assert!(bytes.len() <= max);
        answered(&bytes);
    }
}

fn answered(bytes: &[u8]) {
    assert_eq!(read_query(bytes), Err(Malformed::Silent));
    assert!(Message::from_vec(bytes).is_ok());
}
