//! Any bytes: a head that is read is one to httparse too, of the same length and fields; its
//! beginning is never refused; it is read again the same from how it is written; and an answer
//! likewise.

use toolgate::plane::egress::framing::Framing;
use toolgate::plane::egress::head::{
    Method, RequestHead, RequestTarget, read_head, read_response_head,
};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    if let Ok(Some((head, length))) = read_head(bytes) {
        request(bytes, &head, length);
    }
    if let Ok(Some((head, length))) = read_response_head(bytes) {
        beginnings(bytes, length, |part| read_response_head(part).is_ok_and(|head| head.is_none()));
        let written = head.to_client(&head.headers);
        let (again, all) = read_response_head(&written).unwrap().unwrap();
        assert_eq!(
            (&again.headers, again.status, all),
            (&head.headers, head.status, written.len())
        );
        let method = Method::read(b"GET").unwrap();
        assert!(Framing::of_response(&head, &method) != Ok(Framing::None) || head.status < 400);
    }
}

fn request(bytes: &[u8], head: &RequestHead, length: usize) {
    beginnings(bytes, length, |part| read_head(part).is_ok_and(|head| head.is_none()));
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut theirs = httparse::Request::new(&mut fields);
    let start = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let read = theirs.parse(&bytes[start..length]);
    assert_eq!(read, Ok(httparse::Status::Complete(length - start)));
    assert_eq!(theirs.method, Some(head.method.as_str()));
    let ours: Vec<_> = head.headers.iter().map(|field| (field.name(), field.value())).collect();
    let trimmed = |field: &httparse::Header| field.value.trim_ascii().to_vec();
    let theirs: Vec<_> = theirs.headers.iter().map(|field| (field.name, trimmed(field))).collect();
    assert_eq!(ours.len(), theirs.len());
    assert!(
        ours.iter().zip(&theirs).all(|(ours, theirs)| ours.0 == theirs.0 && ours.1 == theirs.1)
    );
    assert!(Framing::of_request(head).is_ok());

    let RequestTarget::Absolute { authority, path, .. } = &head.target else { return };
    assert!(head.host.as_ref().is_none_or(|host| host.host == authority.host));
    let mut headers = head.headers.forwardable();
    headers.set("Host", authority.to_string().as_bytes()).unwrap();
    let written = head.to_origin(path, &headers);
    let (again, all) = read_head(&written).unwrap().unwrap();
    assert_eq!(all, written.len());
    assert_eq!(again.target, RequestTarget::Origin(path.clone()));
    assert_eq!(again.host.as_ref(), Some(authority));
    assert_eq!(Framing::of_request(&again), Framing::of_request(head));
}

/// A head of which a part is there is waited for.
fn beginnings(bytes: &[u8], length: usize, waits: impl Fn(&[u8]) -> bool) {
    for end in (0..length).step_by(1 + length / 64) {
        assert!(waits(&bytes[..end]), "{end}");
    }
}
