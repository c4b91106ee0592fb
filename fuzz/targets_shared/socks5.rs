//! Any bytes: what SOCKS5's readers take is whole and no more, whatever follows it changes nothing,
//! and a request that is read is read again the same from how its host is written.

use toolgate::plane::egress::socks5::{read_greeting, read_login, read_request};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    once(bytes, |bytes| read_greeting(bytes).map(|read| read.map(|read| (read.0, read.1))));
    once(bytes, read_login);
    once(bytes, read_request);
    let Ok(Some((to, _))) = read_request(bytes) else { return };
    let name = to.host.to_string();
    let port = to.port.unwrap().to_be_bytes();
    let again = [&[5, 1, 0, 3, name.len() as u8], name.as_bytes(), &port].concat();
    assert_eq!(read_request(&again), Ok(Some((to, again.len()))));
}

fn once<T: PartialEq + std::fmt::Debug, E: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, E>,
) {
    let Ok(Some((value, length))) = read(bytes) else { return };
    for end in 0..length {
        assert_eq!(read(&bytes[..end]), Ok(None));
    }
    assert_eq!(read(&bytes[..length]), Ok(Some((value, length))));
}
