//! Any bytes in the place of a host: no two of our parsers read two hosts in them, be it an
//! authority, a request's target, a Host field, a URL, a SOCKS domain, a DNS question or an SNI.

use toolgate::model::host::{Authority, Host};
use toolgate::model::url::Network;
use toolgate::plane::egress::head::read_head;
use toolgate::plane::egress::{client_hello, dns, socks5};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).ok();
    let read = [
        text.and_then(|text| Authority::parse(text).ok()).map(|authority| authority.host),
        text.and_then(|text| Host::parse(text).ok()),
        text.and_then(|text| Network::parse_url(&format!("http://{text}/")).ok()).map(|to| to.host),
        request(&[b"CONNECT ", bytes, b":443 HTTP/1.0\r\n\r\n"].concat()),
        request(&[b"CONNECT ", bytes, b" HTTP/1.0\r\n\r\n"].concat()),
        request(&[b"GET http://", bytes, b"/ HTTP/1.0\r\n\r\n"].concat()),
        request(&[b"GET / HTTP/1.1\r\nHost: ", bytes, b"\r\n\r\n"].concat()),
        socks(bytes),
        question(bytes),
        sni(bytes),
    ];
    let mut hosts = read.iter().flatten();
    let Some(first) = hosts.next() else { return };
    assert!(hosts.all(|host| host == first), "{read:?}");
}

fn request(bytes: &[u8]) -> Option<Host> {
    let (head, _) = read_head(bytes).ok()??;
    head.destination().map(|(host, _)| host.clone())
}

fn socks(name: &[u8]) -> Option<Host> {
    let length = u8::try_from(name.len()).ok()?;
    let bytes = [&[5, 1, 0, 3, length], name, &[1, 0xbb]].concat();
    Some(socks5::read_request(&bytes).ok()??.0.host)
}

fn question(name: &[u8]) -> Option<Host> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut bytes = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in name.split(|byte| *byte == b'.') {
        bytes.push(u8::try_from(label.len()).ok().filter(|length| *length > 0)?);
        bytes.extend(label);
    }
    bytes.extend([0, 0, 1, 0, 1]);
    dns::read_query(&bytes).ok()?.name.ok().map(Host::Name)
}

fn sni(name: &[u8]) -> Option<Host> {
    let v16 = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
        [&length[..], bytes].concat()
    };
    let extension = [&[0, 0][..], &v16(&v16(&[&[0][..], &v16(name)].concat()))].concat();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &v16(&extension)].concat();
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    let bytes = [&[22, 3, 1][..], &v16(&message)].concat();
    client_hello::read(&bytes).ok()??.sni.map(Host::Name)
}
