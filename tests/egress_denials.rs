//! Every code that the proxy refuses with, on real sockets: each refusal is answered in the words of
//! its protocol, stands in the log, and nothing was dialled for it.
#![cfg(test)]

#[path = "harness/proxy.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod proxy;
#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod sidecar;

use proxy::{ECH, Origin, Proxy, client_hello, code, head, to_the_end};
use std::io::Write;
use std::net::Shutdown;

const POLICY: &str = r#"
[connect]
allow = [
  "https://tls.example", "http://web.example:*", "https://web.example:9443", "other.example:9000",
  "https://ech.example", "https://bare.example", "127.9.0.0/16", "198.51.100.7:443", "**.wide.example",
  "http://private.example:*", "http://nowhere.example", "http://self.example:*",
  "GET http://ruled.example:*/docs/**", "POST http://ruled.example:*/form", "http://mixed.example:*",
  "http://metadata.example", "127.0.0.1:1", "http://mapped.example",
]
deny = ["denied.example:*", "https://no.wide.example", "192.0.2.0/24"]
[[rule]]
id = "counted"
allow = "connect"
match = ["http://counted.example:*"]
limit = { max = 1, per = "hour", over = "deny" }
"#;

fn start() -> (Proxy, Origin) {
    let origin = Origin::start(|mut stream| {
        let _ = head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    let egress = r#"
resolver = "none"
header_seconds = 1
tls_seconds = 1
private = [
  { host = "web.example", cidr = "127.0.0.0/8" }, { host = "ruled.example", cidr = "127.0.0.0/8" },
  { host = "counted.example", cidr = "127.0.0.0/8" }, { host = "self.example", cidr = "127.0.0.0/8" },
  { host = "metadata.example", cidr = "169.254.0.0/16" },
]
[egress.static]
"tls.example" = ["127.9.0.1"]
"ech.example" = ["127.9.0.1"]
"bare.example" = ["127.9.0.1"]
"web.example" = ["127.0.0.1"]
"ruled.example" = ["127.0.0.1"]
"counted.example" = ["127.0.0.1"]
"self.example" = ["127.0.0.1"]
"private.example" = ["10.0.0.1"]
"mapped.example" = ["64:ff9b::a00:1"]
"mixed.example" = ["127.9.0.1", "10.0.0.1"]
"metadata.example" = ["169.254.169.254"]
"x.wide.example" = ["192.0.2.1"]
[egress.host."ech.example"]
ech = "allow-if-sni-matches"
[egress.host."bare.example"]
sni = "optional"
"#;
    (Proxy::start(POLICY, egress), origin)
}

fn connect(to: &str) -> String {
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")
}

fn get(url: &str, host: &str) -> String {
    format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn requests_that_are_refused() {
    let (proxy, origin) = start();
    let at = origin.port();
    let own = proxy.at.port();
    let web = format!("web.example:{at}");
    let ruled = format!("ruled.example:{at}");
    let url = format!("http://{web}/");
    let many = "x: y\r\n".repeat(200);
    let long = format!("x: {}\r\n", "y".repeat(70_000));
    let with = |fields: &str| format!("GET {url} HTTP/1.1\r\nHost: {web}\r\n{fields}\r\n");
    let cases = [
        ("bad_request_line", "G@T http://a.example/ HTTP/1.1\r\n\r\n".to_owned()),
        ("bad_request_line", "GET  http://a.example/ HTTP/1.1\r\n\r\n".to_owned()),
        ("bad_header", with("x : y\r\n")),
        ("bad_framing", with(" folded\r\n")),
        ("bad_framing", with("content-length: 1\r\ncontent-length: 1\r\n")),
        ("bad_framing", with("content-length: 1\r\ntransfer-encoding: chunked\r\n")),
        ("bad_framing", with("transfer-encoding: gzip\r\n")),
        ("bad_framing", with("content-length: +1\r\n")),
        ("missing_host", format!("GET {url} HTTP/1.1\r\n\r\n")),
        ("duplicate_host", format!("GET {url} HTTP/1.1\r\nHost: {web}\r\nHost: {web}\r\n\r\n")),
        ("authority_mismatch", get(&url, "other.example")),
        ("authority_mismatch", get(&url, "web.example:1")),
        ("invalid_authority", connect("web.example")),
        ("invalid_authority", connect("web.example:0")),
        ("invalid_authority", connect("web.example:080")),
        ("invalid_host", connect("0x7f.1:80")),
        ("invalid_host", connect("2130706433:80")),
        ("invalid_host", connect("127.1:80")),
        ("header_too_large", with(&many)),
        ("header_too_large", with(&long)),
        ("origin_form_not_allowed", get("/", "web.example")),
        ("scheme_not_allowed", get("https://tls.example/", "tls.example")),
        ("protocol_not_supported", "GET http://a.example/ HTTP/2.0\r\n\r\n".to_owned()),
        ("upgrade_not_allowed", with("Connection: upgrade\r\nUpgrade: websocket\r\n")),
        ("upgrade_not_allowed", with("Connection: upgrade\r\nUpgrade: h2c\r\n")),
        ("host_denied", connect("denied.example:443")),
        ("host_denied", connect("no.wide.example:443")),
        ("host_denied", connect("192.0.2.1:443")),
        ("host_not_allowed", connect("evil.example:443")),
        ("host_not_allowed", connect("tls.example.evil.example:443")),
        ("host_not_allowed", get("http://evil.example/", "evil.example")),
        ("port_not_allowed", connect("tls.example:444")),
        ("port_not_allowed", connect("other.example:9001")),
        ("port_not_allowed", get("http://tls.example/", "tls.example")),
        ("ip_literal_not_allowed", connect("198.51.100.8:443")),
        ("ip_literal_not_allowed", connect("10.1.2.3:443")),
        ("ip_literal_not_allowed", connect("[2001:db8::1]:443")),
        ("ip_literal_not_allowed", connect("169.254.169.254:443")),
        ("port_not_allowed", connect("198.51.100.7:444")),
        ("dns_failure", get("http://nowhere.example/", "nowhere.example")),
        ("address_blocked", get("http://private.example/", "private.example")),
        ("address_blocked", get("http://mapped.example/", "mapped.example")),
        ("address_blocked", get("http://mixed.example/", "mixed.example")),
        ("address_blocked", get("http://metadata.example/", "metadata.example")),
        ("address_blocked", connect("x.wide.example:443")),
        (
            "self_connection",
            get(&format!("http://self.example:{own}/"), &format!("self.example:{own}")),
        ),
        (
            "method_not_allowed",
            format!("PUT http://{ruled}/docs/x HTTP/1.1\r\nHost: {ruled}\r\n\r\n"),
        ),
        ("path_not_allowed", get(&format!("http://{ruled}/other"), &ruled)),
        ("path_not_allowed", get(&format!("http://{ruled}/docs/../other"), &ruled)),
        ("path_ambiguous", get(&format!("http://{ruled}/docs/a%2fb"), &ruled)),
        ("path_ambiguous", get(&format!("http://{ruled}/docs/..;/x"), &ruled)),
        ("header_timeout", "GET http://web.ex".to_owned()),
    ];
    for (expected, request) in &cases {
        let answer = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
        assert_eq!(code(&answer), *expected, "{request}\n{answer}");
        assert_eq!(proxy.last_reason("net.open"), *expected, "{request}");
        if *expected == "scheme_not_allowed" {
            let opened = proxy.records("net.open");
            assert_eq!(opened[opened.len() - 1]["details"]["port"], 443, "the scheme's own");
        }
        assert!(answer.contains(&format!("toolgate: {expected}: ")), "{answer}");
    }
    let opened = proxy.records("net.open");
    assert_eq!(opened.len(), cases.len(), "one record for each");
    assert!(opened.iter().all(|record| record["decision"]["effect"] == "deny"));
    assert_eq!(origin.came(), 0, "nothing was dialled");
    proxy.sidecar.stop();
}

#[test]
fn a_limit_of_a_rule_is_a_budget() {
    let (proxy, origin) = start();
    let host = format!("counted.example:{}", origin.port());
    let request =
        format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let first = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
    assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
    let second = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
    assert_eq!(code(&second), "budget_exceeded", "{second}");
    assert_eq!(origin.came(), 1);
}

#[test]
fn other_protocols_are_refused_in_their_words() {
    let (proxy, _) = start();
    let name = |command: u8, host: &str, port: u16| {
        let mut bytes = vec![5, 1, 0, 5, command, 0, 3, u8::try_from(host.len()).unwrap()];
        bytes.extend(host.as_bytes());
        bytes.extend(port.to_be_bytes());
        bytes
    };
    for (request, answer, reason) in [
        (
            vec![4, 1, 0, 80, 127, 0, 0, 1, 0],
            vec![0, 91, 0, 0, 0, 0, 0, 0],
            "protocol_not_supported",
        ),
        (
            client_hello(Some("tls.example"), &[]),
            vec![21, 3, 3, 0, 2, 2, 49],
            "protocol_not_supported",
        ),
        (vec![5, 1, 1], vec![5, 255], "auth_failed"),
        (
            name(2, "tls.example", 443),
            vec![5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0],
            "command_not_supported",
        ),
        (name(3, "tls.example", 443), vec![5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0], "udp_blocked"),
        (
            name(1, "evil.example", 443),
            vec![5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0],
            "host_not_allowed",
        ),
        (
            name(1, "evil\0.wide.example", 443),
            vec![5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0],
            "invalid_host",
        ),
        (name(1, "0x7f.1", 80), vec![5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0], "invalid_host"),
        (
            vec![5, 1, 0, 5, 1, 0, 1, 10, 0, 0, 1, 0, 80],
            vec![5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0],
            "ip_literal_not_allowed",
        ),
    ] {
        assert_eq!(proxy.ask(&request), answer, "{reason}");
        assert_eq!(proxy.last_reason("net.open"), reason);
    }
}

#[test]
fn what_a_tunnel_carries_is_looked_at() {
    let (proxy, _) = start();
    let origin = Origin::start_at("127.9.0.1:443", proxy::echo);
    let split = |hello: Vec<u8>| {
        // One message over three records.
        let (body, mut out) = (&hello[5..], Vec::new());
        for part in body.chunks(body.len() / 3 + 1) {
            out.extend([22, 3, 1]);
            out.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            out.extend(part);
        }
        out
    };
    for (host, bytes, reason) in [
        ("tls.example", client_hello(Some("tls.example"), &[]), ""),
        ("tls.example", split(client_hello(Some("TLS.example"), &[])), ""),
        ("tls.example", client_hello(Some("evil.example"), &[]), "sni_mismatch"),
        ("tls.example", split(client_hello(Some("evil.example"), &[])), "sni_mismatch"),
        ("tls.example", client_hello(None, &[]), "sni_missing"),
        ("tls.example", client_hello(Some("tls.example"), ECH), "ech_blocked"),
        ("ech.example", client_hello(Some("ech.example"), ECH), ""),
        ("ech.example", client_hello(Some("evil.example"), ECH), "sni_mismatch"),
        ("bare.example", client_hello(None, &[]), ""),
        ("tls.example", b"GET / HTTP/1.1\r\nHost: tls.example\r\n\r\n".to_vec(), "not_tls"),
        ("tls.example", b"SSH-2.0-x\r\n".to_vec(), "not_tls"),
        ("tls.example", vec![22, 3, 1, 0, 4, 1, 0, 0, 0], "tls_malformed"),
        ("tls.example", Vec::new(), "tls_timeout"),
    ] {
        let before = proxy.records("net.close").len();
        let mut stream = proxy.tunnel(&format!("{host}:443")).unwrap();
        stream.write_all(&bytes).unwrap();
        if reason.is_empty() {
            assert_eq!(proxy::exactly(&mut stream, bytes.len()), bytes, "{host}");
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let rest = to_the_end(&mut stream);
        let closed = proxy.wait("net.close", before + 1);
        let details = &closed[before]["details"];
        assert_eq!(details["reason"].as_str().unwrap_or_default(), reason, "{host}");
        let alert = rest.first() == Some(&21);
        assert_eq!(alert, !reason.is_empty(), "{host} {reason}: {rest:?}");
        if reason.is_empty() {
            assert_eq!(details["cause"], "client_closed");
            assert_eq!(details["bytes_up"], bytes.len());
            assert_eq!(details["bytes_down"], bytes.len());
        } else {
            assert_eq!(details["cause"], "denied");
        }
    }
    let opens = proxy.records("net.open");
    assert_eq!(opens.len(), origin.came());
    for (open, close) in opens.iter().zip(proxy.records("net.close")) {
        assert_eq!(open["call"], close["call"], "one id joins both");
        assert_eq!(close["details"]["address"], "127.9.0.1:443");
    }
}

#[test]
fn what_a_tunnel_carries_that_could_be_http() {
    let (proxy, origin) = start();
    let to = format!("web.example:{}", origin.port());
    for (bytes, reason) in [
        ("SSH-2.0-x\r\n\r\n", "not_tls"),
        ("EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n\r\n", "not_tls"),
        ("GET  / HTTP/1.1\r\n\r\n", "bad_request_line"),
        ("GET / HTTP/1.1\r\nx : y\r\n\r\n", "bad_header"),
    ] {
        let mut stream = proxy.tunnel(&to).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        let rest = to_the_end(&mut stream);
        assert_eq!(proxy.last_reason("net.open"), reason, "{bytes}");
        assert_eq!(rest.first() == Some(&21), reason == "not_tls", "{bytes}: {rest:?}");
        let opened = proxy.records("net.open");
        let details = &opened[opened.len() - 1]["details"];
        assert_eq!(
            (&details["host"], &details["port"]),
            (&"web.example".into(), &origin.port().into())
        );
    }
    assert_eq!(origin.came(), 0);
}

#[test]
fn a_token_is_asked_for() {
    let token = "0123456789abcdef0123456789abcdef";
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("token");
    std::fs::write(&file, token).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let egress = format!("resolver = \"none\"\ntoken_file = \"{}\"", file.display());
    let proxy = Proxy::start("[connect]\nallow = [\"https://a.example\"]", &egress);
    let connect = |field: &str| {
        let request =
            format!("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n{field}\r\n");
        String::from_utf8(proxy.ask(request.as_bytes())).unwrap()
    };
    let bearer = format!("Proxy-Authorization: Bearer {token}\r\n");
    for (field, expected) in [
        (String::new(), "auth_required"),
        ("Proxy-Authorization: Basic eDp5\r\n".to_owned(), "auth_failed"),
        (format!("{bearer}{bearer}"), "auth_failed"),
        // Whoever is known is refused by the policy.
        (bearer, "host_not_allowed"),
    ] {
        let answer = connect(&field);
        assert_eq!(code(&answer), expected, "{answer}");
        assert_eq!(answer.starts_with("HTTP/1.1 407 "), expected.starts_with("auth"), "{answer}");
    }
    let mut right = vec![5, 1, 2, 1, 1, b'x', 32];
    right.extend(token.as_bytes());
    right.extend([5, 1, 0, 3, 9]);
    right.extend(b"b.example\x01\xbb");
    let mut wrong = right.clone();
    wrong[10] ^= 1;
    for (request, answer, reason) in [
        (right, vec![5, 2, 1, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0], "host_not_allowed"),
        (wrong, vec![5, 2, 1, 1], "auth_failed"),
        (vec![5, 1, 0], vec![5, 255], "auth_required"),
    ] {
        assert_eq!(proxy.ask(&request), answer, "{reason}");
        assert_eq!(proxy.last_reason("net.open"), reason);
    }
    let text = std::fs::read_to_string(proxy.sidecar.path("stderr")).unwrap();
    let log = format!("{:?}", proxy.sidecar.records());
    assert!(!text.contains(token) && !log.contains(token), "the token is in no log");
}

#[test]
fn too_many_connections_are_told_so() {
    let egress = "resolver = \"none\"\nconnections_max = 2";
    let proxy = Proxy::start("[connect]\nallow = [\"https://a.example\"]", egress);
    let mut held = vec![proxy.connect(), proxy.connect()];
    held.iter_mut().for_each(|stream| stream.write_all(b"C").unwrap());
    sidecar::until("a third is refused", || {
        let mut stream = proxy.connect();
        let answer = String::from_utf8(to_the_end(&mut stream)).unwrap();
        (code(&answer) == "too_many_connections").then_some(())
    });
    proxy.wait("net.open", 1);
    assert_eq!(proxy.last_reason("net.open"), "too_many_connections");
    drop(held);
    sidecar::until("there is room again", || {
        let answer = String::from_utf8(proxy.ask(connect("b.example:443").as_bytes())).unwrap();
        (code(&answer) == "host_not_allowed").then_some(())
    });
}

#[test]
fn rules_that_nobody_could_see_keep_the_proxy_from_starting() {
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path().display();
    let policy = "schema = 1\n[policy]\nname = \"n\"\nversion = \"1\"\ndefault = \"deny\"\n\
                  [connect]\nallow = [\"GET https://a.example/x/**\"]\n";
    std::fs::write(scratch.path().join("p.toml"), policy).unwrap();
    let config = format!(
        "[hook]\nsocket = \"{at}/run/s\"\nworld = \"same\"\n[policy]\nfiles = [\"{at}/p.toml\"]\n\
         workspace = \"{at}\"\n[audit]\ndir = \"{at}/audit\"\n"
    );
    std::fs::write(scratch.path().join("toolgate.toml"), config).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let output = command
        .args(["serve", "--egress", "127.0.0.1:0", "--config"])
        .arg(scratch.path().join("toolgate.toml"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("intercept_required") && text.contains("intercept = true"), "{text}");
}
