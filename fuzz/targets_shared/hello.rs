//! Any bytes, as they are and as a handshake in records: a ClientHello that both we and rustls read
//! names one host and the same protocols, in whatever pieces; and none is read before it is whole.

use rustls::server::Acceptor;
use toolgate::model::host::Name;
use toolgate::plane::egress::client_hello::{ClientHello, read};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    one(bytes);
    // The first byte says how long the records are.
    let Some((size, message)) = bytes.split_first() else { return };
    let record = |part: &[u8]| [&[22, 3, 1, 0, part.len() as u8], part].concat();
    let size = usize::from(*size).max(1);
    let framed: Vec<u8> = message.chunks(size).flat_map(record).collect();
    let cut = one(&framed);
    let record = |part: &[u8]| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    let whole: Vec<u8> = message.chunks(1 << 14).flat_map(record).collect();
    // One that is followed by more is refused only where that stands in its last record.
    if let (Some(cut), Some(whole)) = (cut, one(&whole)) {
        assert_eq!(cut, whole);
    }
}

fn one(bytes: &[u8]) -> Option<ClientHello> {
    let ours = read(bytes).ok().flatten()?;
    let whole = (0..bytes.len()).find(|end| read(&bytes[..*end]).is_ok_and(|read| read.is_some()));
    let whole = whole.unwrap_or(bytes.len());
    for end in (0..whole).step_by(1 + whole / 64) {
        assert_eq!(read(&bytes[..end]), Ok(None));
    }
    assert_eq!(read(&bytes[..whole]).ok().flatten().as_ref(), Some(&ours));
    if let Some((name, alpn)) = theirs(&bytes[..whole]) {
        let name = name.map(|name| Name::parse(&name));
        assert_eq!(ours.sni, name.transpose().unwrap());
        assert_eq!(ours.alpn, alpn);
    }
    Some(ours)
}

/// The name and the protocols that rustls reads.
fn theirs(mut bytes: &[u8]) -> Option<(Option<String>, Vec<String>)> {
    let mut acceptor = Acceptor::default();
    while !bytes.is_empty() {
        if acceptor.read_tls(&mut bytes).ok()? == 0 {
            break;
        }
        if let Some(accepted) = acceptor.accept().ok()? {
            let hello = accepted.client_hello();
            let alpn = hello.alpn().into_iter().flatten();
            let alpn = alpn.map(|name| name.escape_ascii().to_string()).collect();
            return Some((hello.server_name().map(str::to_owned), alpn));
        }
    }
    None
}
