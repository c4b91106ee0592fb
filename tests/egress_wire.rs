//! What comes to the network plane, byte by byte: cases of `tests/cases/egress`, among them what
//! real clients sent, and that no two parsers read one text as two hosts.
#![cfg(test)]

#[path = "../fuzz/targets_shared/hello.rs"]
mod hello;
#[path = "../fuzz/targets_shared/one_host.rs"]
mod one_host;

use std::path::{Path, PathBuf};
use toolgate::model::address::{AddressClass, classify};
use toolgate::model::host::{Host, Name};
use toolgate::model::reason::Reason;
use toolgate::plane::egress::framing::{Body, Framing};
use toolgate::plane::egress::head::{RequestTarget, read_authority, read_head};
use toolgate::plane::egress::{client_hello, path, socks5};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    source: String,
    bytes: Option<String>,
    hex: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    addresses: Vec<std::net::IpAddr>,
    public: Option<bool>,
    #[serde(default)]
    paths: Vec<String>,
    reads: Option<String>,
    reason: Option<String>,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        if let Some(text) = &self.bytes {
            return text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        }
        let digits: Vec<_> = self.hex.as_ref().unwrap().chars().collect();
        let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn holds(&self, read: Result<String, Reason>) {
        let read = read.map_err(Reason::as_str);
        let expected = self.reads.as_deref().ok_or(self.reason.as_deref().unwrap_or("nothing"));
        assert_eq!(read.as_deref().map_err(|code| *code), expected, "{}", self.source);
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/egress")
}

fn cases(file: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(directory().join(file)).unwrap();
    toml::from_str::<Cases>(&text).unwrap().case
}

/// What real clients sent, by the end of the file's name.
fn sent(kind: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory().join("clients")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == kind));
    let found: Vec<_> =
        paths.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect();
    assert!(!found.is_empty(), "no client sent a {kind}");
    found
}

fn request(bytes: &[u8]) -> Result<String, Reason> {
    let (head, length) = read_head(bytes)?.expect("the head is whole");
    let target = match &head.target {
        RequestTarget::Authority(authority) => authority.to_string(),
        RequestTarget::Absolute { scheme, authority, path } => {
            format!("{scheme}://{authority}{path}")
        }
        RequestTarget::Origin(path) => path.clone(),
        RequestTarget::Asterisk => "*".to_owned(),
    };
    Ok(format!("{} {target} +{}", head.method.as_str(), bytes.len() - length))
}

fn greeted(bytes: &[u8]) -> Result<String, Reason> {
    let hello = client_hello::read(bytes)?.expect("the hello is whole");
    let name = hello.sni.as_ref().map_or("-", Name::as_str);
    Ok(format!("{name}{} {}", if hello.ech { " ech" } else { "" }, hello.alpn.join(",")))
}

#[test]
fn requests() {
    for case in cases("requests.toml") {
        case.holds(request(&case.bytes()));
    }
}

#[test]
fn bodies() {
    for case in cases("bodies.toml") {
        let (bytes, mut body, mut said) = (case.bytes(), Body::new(Framing::Chunked), Vec::new());
        let taken = body.take_data(&bytes, &mut |data| said.extend_from_slice(data));
        case.holds(taken.map(|taken| {
            assert!(body.is_done(), "{}", case.source);
            format!("{} +{}", String::from_utf8_lossy(&said), bytes.len() - taken)
        }));
    }
}

#[test]
fn socks() {
    for case in cases("socks.toml") {
        let bytes = case.bytes();
        let read = socks5::read_request(&bytes).map(|read| read.expect("it is whole"));
        case.holds(read.map(|(to, length)| format!("{to} +{}", bytes.len() - length)));
    }
}

#[test]
fn hosts() {
    for case in cases("hosts.toml") {
        for host in &case.hosts {
            case.holds(read_authority(host.as_bytes()).map(|read| read.host.to_string()));
            let parsed = Host::parse(host).map_err(|_| Reason::InvalidHost);
            case.holds(parsed.map(|host| host.to_string()));
            one_host::hold(host.as_bytes());
        }
    }
}

#[test]
fn addresses() {
    for case in cases("addresses.toml") {
        for address in &case.addresses {
            let public = classify(*address) == AddressClass::Public;
            assert_eq!(Some(public), case.public, "{address}: {}", case.source);
        }
    }
}

#[test]
fn paths() {
    for case in cases("paths.toml") {
        for path in &case.paths {
            case.holds(path::canonical(path));
        }
    }
}

#[test]
fn hellos() {
    for case in cases("hellos.toml") {
        let bytes = case.bytes();
        case.holds(greeted(&bytes));
        hello::hold(&bytes);
    }
}

#[test]
fn what_real_clients_send_is_read() {
    for (name, bytes) in sent("connect") {
        let read = request(&bytes);
        assert_eq!(read.as_deref(), Ok("CONNECT origin.example:443 +0"), "{name}");
    }
    for (name, bytes) in sent("http") {
        let (head, length) = read_head(&bytes).unwrap().unwrap();
        let (host, port) = head.destination().unwrap();
        assert_eq!((host.to_string().as_str(), port), ("origin.example", 80), "{name}");
        let mut body = Body::new(Framing::of_request(&head).unwrap());
        let rest = &bytes[length..];
        assert_eq!(body.take(rest), Ok(rest.len()), "{name}");
    }
    for (name, bytes) in sent("hello") {
        assert!(greeted(&bytes).unwrap().starts_with("origin.example "), "{name}");
        hello::hold(&bytes);
    }
    for (name, bytes) in sent("greet") {
        let (greeting, length) = socks5::read_greeting(&bytes).unwrap().unwrap();
        assert!(greeting.bare && length == bytes.len(), "{name}");
    }
    for (name, bytes) in sent("socks") {
        let (to, length) = socks5::read_request(&bytes).unwrap().unwrap();
        assert!(to.port.is_some() && length == bytes.len(), "{name}");
    }
}

/// What rustls itself sends is read by both.
#[test]
fn what_rustls_sends_is_read() {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let versions = [
        &[&rustls::version::TLS13][..],
        &[&rustls::version::TLS12],
        &[&rustls::version::TLS12, &rustls::version::TLS13],
    ];
    for versions in versions {
        for (name, alpn, expected) in [
            ("a.example", &[][..], "a.example "),
            ("A.Example", &[&b"h2"[..], b"http/1.1"], "a.example h2,http/1.1"),
            ("192.0.2.1", &[], "- "),
        ] {
            let config = rustls::ClientConfig::builder_with_provider(provider.clone());
            let config = config.with_protocol_versions(versions).unwrap();
            let roots = rustls::RootCertStore::empty();
            let mut config = config.with_root_certificates(roots).with_no_client_auth();
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            let name = name.to_owned().try_into().unwrap();
            let mut client = rustls::ClientConnection::new(config.into(), name).unwrap();
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            assert_eq!(greeted(&bytes).as_deref(), Ok(expected));
            hello::hold(&bytes);
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4096))]
    #[test]
    fn no_two_parsers_read_two_hosts(
        text in "[aA0x9.:@/?#\\\\\\[\\]%_ \t\r\n\u{0}\u{e9}①-]{0,16}(\\.example|:443|\\.1)?",
    ) {
        one_host::hold(text.as_bytes());
    }
}
