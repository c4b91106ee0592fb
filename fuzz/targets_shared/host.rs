//! Any text: what is read as an authority or a URL is read again the same from how it is written,
//! and never holds what a resolver could read otherwise.

use toolgate::model::host::{Authority, Host};
use toolgate::model::url::Network;

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(authority) = Authority::parse(text) {
        again(&authority);
    }
    if let Ok(network) = Network::parse_url(text) {
        again(&Authority { host: network.host, port: network.port });
    }
}

fn again(authority: &Authority) {
    let written = authority.to_string();
    assert_eq!(Authority::parse(&written).as_ref(), Ok(authority), "{written}");
    assert_ne!(authority.port, Some(0));
    if let Host::Name(name) = &authority.host {
        let name = name.as_str();
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        );
        assert!(name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len())));
        // No resolver takes it for an address.
        assert!(name.parse::<std::net::IpAddr>().is_err());
    }
}
