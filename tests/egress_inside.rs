//! Opened tunnels over real sockets: each request inside is read strictly, judged by method and
//! path, looked through, and carries the secret only where that is bound.
#![cfg(test)]

#[path = "harness/origin.rs"]
mod origin;
#[expect(dead_code, reason = "not every test asks all of the harness")]
#[path = "harness/sidecar.rs"]
mod sidecar;

use origin::{Origin, Signed};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use sidecar::{Sidecar, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The secret; it must be nowhere but in what the host was sent.
const KEY: &str = "the-real-key-of-the-operator-0123456789";
const MARKER: &str = "tg-placeholder-of-the-agent-01";

struct Bench {
    sidecar: Sidecar,
    origin: Origin,
    proxy: String,
    port: u16,
    secret: tempfile::TempDir,
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

impl Bench {
    fn start() -> Bench {
        let secret = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let file = |name: &str, text: &str| {
            let path = secret.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path.display().to_string()
        };
        let names = ["api.example", "bound.example", "free.example"];
        let signed = Signed::for_names(&names);
        let origin = Origin::start(Some(&signed), "{\"ok\":true}");
        let port = origin.address.port();
        let policy = format!(
            "schema = 1\n[policy]\nname = \"inside\"\ndefault = \"deny\"\n[connect]\n\
             allow = [\"GET https://api.example:{port}/v1/**\", \
             \"POST https://api.example:{port}/v1/**\", \"https://bound.example:{port}\", \
             \"https://free.example:{port}\", \"GET https://wrong.example:{port}/**\"]\n\
             deny = [\"https://api.example:{port}/v1/private/**\"]\n"
        );
        let all = ["api.example", "bound.example", "free.example", "wrong.example"];
        let fixed: Vec<String> =
            all.iter().map(|name| format!("\"{name}\" = [\"127.0.0.1\"]")).collect();
        let private: Vec<String> = all
            .iter()
            .map(|name| format!("{{ host = \"{name}\", cidr = \"127.0.0.0/8\" }}"))
            .collect();
        let lines = format!(
            "[egress]\nlisten = [\"127.0.0.1:0\"]\nresolver = \"none\"\nintercept = true\n\
             ca_file = \"{}\"\nintercept_ca_file = \"{}\"\nstatic = {{ {} }}\nprivate = [{}]\n\
             [egress.host.\"bound.example\"]\nwebsocket = true\n\
             [[credential]]\nname = \"bound\"\nhost = \"bound.example:{port}\"\npath = \"/v1/*\"\n\
             source = {{ file = \"{}\" }}\nplaceholder = \"{MARKER}\"\n",
            file("ca.pem", &signed.authority),
            secret.path().join("ours.pem").display(),
            fixed.join(", "),
            private.join(", "),
            file("key", KEY),
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let sidecar = Sidecar::start_with(&policy, &lines, &mut command);
        let proxy = until("it says where", || {
            let said = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
            let rest = said.split_once("the proxy listens at ")?.1.to_owned();
            Some(rest.split_once('\n')?.0.trim().to_owned())
        });
        Bench { sidecar, origin, proxy, port, secret }
    }

    /// The tunnel's socket, and the status that CONNECT was answered with.
    fn connect(&self, host: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(&self.proxy).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let to = format!("{host}:{}", self.port);
        stream
            .write_all(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes())
            .unwrap();
        (stream.try_clone().unwrap(), head(&mut stream))
    }

    fn config(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let file = self.secret.path().join("ours.pem");
        let last = CertificateDer::pem_file_iter(file).unwrap().last().unwrap().unwrap();
        roots.add(last).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// TLS inside of a tunnel to the host; a certificate of ours is believed, and no other.
    fn open(&self, host: &str) -> Tls {
        let (stream, said) = self.connect(host);
        assert!(said.starts_with("HTTP/1.1 200 "), "{host}: {said}");
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let config = self.config(&["h2", "http/1.1"]);
        StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
    }

    /// All that is answered to these bytes.
    fn say(&self, host: &str, text: &str) -> String {
        let mut stream = self.open(host);
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request with its Host, that ends the connection.
    fn request(&self, host: &str, line: &str, fields: &str, body: &str) -> String {
        let length = format!("content-length: {}\r\n", body.len());
        let length = if body.is_empty() { "" } else { &length };
        self.say(
            host,
            &format!(
                "{line} HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\n{fields}{length}\r\n\
                 {body}",
                self.port
            ),
        )
    }

    fn kinds(&self, kind: &str, count: usize) -> Vec<Value> {
        until(kind, || {
            let records = self.sidecar.records();
            let found: Vec<Value> =
                records.into_iter().filter(|record| record["kind"] == kind).collect();
            (found.len() >= count).then_some(found)
        })
    }
}

fn head(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn secret() -> String {
    ["ghp", "_", "0123456789abcdefghijABCDEFGHIJ012345"].concat()
}

#[test]
fn each_request_is_judged_by_what_it_is() {
    let bench = Bench::start();
    let port = bench.port;
    let ask =
        |line: &str, fields: &str, body: &str| bench.request("api.example", line, fields, body);
    for (line, fields, body) in [
        ("GET /v1/things?q=1", "", ""),
        ("POST /v1/things", "content-type: application/json\r\n", "{\"password\":\"hunter2\"}"),
        ("POST /v1/a/%7Eb/../c", "Expect: 100-continue\r\n", "x"),
    ] {
        let answer = ask(line, fields, body);
        assert!(
            answer.contains("HTTP/1.1 200 OK") && answer.ends_with("{\"ok\":true}"),
            "{answer}"
        );
        assert!(!answer.to_ascii_lowercase().contains("alt-svc"), "{answer}");
    }
    let seen = bench.origin.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[2].starts_with("POST /v1/a/c HTTP/1.1\r\n"), "{}", seen[2]);
    assert!(!seen[2].contains("Expect"), "{}", seen[2]);
    let gzip = "Content-Encoding: gzip\r\n";
    let hidden = format!("/v1/x?token={}", secret());
    for (line, fields, body, reason) in [
        ("DELETE /v1/things", "", "", "method_not_allowed"),
        ("GET /v2/things", "", "", "path_not_allowed"),
        ("GET /v1/private/x", "", "", "path_not_allowed"),
        ("GET /v1/../v2", "", "", "path_not_allowed"),
        ("GET /v1/a%2fb", "", "", "path_ambiguous"),
        ("GET /v1/..;/x", "", "", "path_ambiguous"),
        ("GET /v1/x", "Host: other.example\r\n", "", "duplicate_host"),
        ("POST /v1/x", "Transfer-Encoding: chunked\r\n", "x", "bad_framing"),
        ("POST /v1/x", "Content-Length: 1\r\n", "x", "bad_framing"),
        ("GET /v1/x", "X : y\r\n", "", "bad_header"),
        ("GET /v1/x", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "", "upgrade_not_allowed"),
        ("GET http://api.example/v1/x", "", "", "authority_mismatch"),
        ("GET https://other.example/v1/x", "", "", "authority_mismatch"),
        ("CONNECT other.example:443", "", "", "authority_mismatch"),
        (&format!("CONNECT api.example:{port}"), "", "", "nested_connect"),
        ("GET /v1/x", &format!("X-Note: {MARKER}\r\n"), "", "secret_marker_misdirected"),
        ("POST /v1/x", "", &format!("a={MARKER}"), "secret_marker_misdirected"),
        (&format!("GET /v1/x?{MARKER}"), "", "", "secret_marker_misdirected"),
        ("POST /v1/x", "", &format!("note: {}", secret()), "dlp"),
        (&format!("GET {hidden}"), "", "", "dlp"),
        ("POST /v1/x", gzip, "not gzip", "dlp"),
    ] {
        let answer = ask(line, fields, body);
        let code = format!("x-toolgate-reason: {reason}\r\n");
        assert!(answer.contains(&code), "{line} {fields}: {answer}");
    }
    // A secret stands anywhere: in a field's name, encoded, beside a chunk, behind the last one.
    let escaped = secret().replace('_', "%5F");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (line, fields, body, reason) in [
        (format!("GET /v1/x?q={escaped}"), "", String::new(), "dlp"),
        ("GET /v1/x".to_owned(), &*format!("{}: 1\r\n", secret()), String::new(), "dlp"),
        (
            "GET /v1/x".to_owned(),
            &*format!("{MARKER}: 1\r\n"),
            String::new(),
            "secret_marker_misdirected",
        ),
        ("POST /v1/x".to_owned(), chunked, format!("1;a={}\r\nx\r\n0\r\n\r\n", secret()), "dlp"),
        (
            "POST /v1/x".to_owned(),
            chunked,
            format!("1\r\nx\r\n0\r\nnote: {MARKER}\r\n\r\n"),
            "secret_marker_misdirected",
        ),
    ] {
        let text = format!(
            "{line} HTTP/1.1\r\nHost: api.example:{port}\r\nConnection: close\r\n{fields}\r\n{body}"
        );
        let answer = bench.say("api.example", &text);
        let code = format!("x-toolgate-reason: {reason}\r\n");
        assert!(answer.contains(&code), "{line} {fields} {body}: {answer}");
    }
    for (text, reason) in [
        ("GET /v1/x HTTP/1.1\r\n\r\n", "missing_host"),
        ("GET /v1/x HTTP/1.1\r\nHost: other.example\r\n\r\n", "authority_mismatch"),
        ("GET /v1/x HTTP/1.1\r\nHost: api.example\r\n\r\n", "authority_mismatch"),
        ("GET /v1/x HTTP/2.0\r\nHost: a\r\n\r\n", "protocol_not_supported"),
        ("GET /v1/x\r\n\r\n", "bad_request_line"),
    ] {
        let answer = bench.say("api.example", text);
        assert!(answer.contains(&format!("x-toolgate-reason: {reason}\r\n")), "{text}: {answer}");
    }
    assert_eq!(bench.origin.seen().len(), 3, "what is refused is not sent");
    let found = bench.kinds("finding", 3);
    assert!(found.iter().all(|one| one.to_string().contains("secret_marker_misdirected")));
    let opened = bench.kinds("net.open", 29);
    assert!(opened.iter().all(|one| one.to_string().contains("\"form\":\"intercept\"")));
    bench.sidecar.stop();
}

#[test]
fn a_secret_goes_where_it_is_bound_and_nowhere_else() {
    let bench = Bench::start();
    let fields = format!(
        "Authorization: Bearer {MARKER}\r\nauthorization: Bearer other\r\nX-Api-Key: sk-own\r\n"
    );
    let answer = bench.request("bound.example", "GET /v1/x", &fields, "");
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    let seen = bench.origin.seen().remove(0);
    assert_eq!(seen.matches(KEY).count(), 1, "{seen}");
    assert!(seen.contains(&format!("authorization: Bearer {KEY}\r\n")), "{seen}");
    assert!(
        !seen.contains(MARKER) && !seen.contains("other") && !seen.contains("sk-own"),
        "{seen}"
    );
    // Another path of the host: nothing is set there, and the placeholder does not go out.
    let answer = bench.request("bound.example", "GET /v2/x", "Authorization: mine\r\n", "");
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    let seen = bench.origin.seen().remove(1);
    assert!(seen.contains("Authorization: mine") && !seen.contains(KEY), "{seen}");
    let answer = bench.request("bound.example", "GET /v2/x", &fields, "");
    assert!(answer.contains("x-toolgate-reason: secret_marker_misdirected"), "{answer}");
    // What a server could read as a path that it is not bound to, though no rule speaks of paths.
    let before = bench.origin.seen().len();
    for path in ["/v1/..%2fadmin", "/v1/%252e%252e/admin", "/v1/..;/admin"] {
        let answer = bench.request("bound.example", &format!("GET {path}"), "", "");
        assert!(answer.contains("x-toolgate-reason: path_ambiguous\r\n"), "{path}: {answer}");
    }
    for (line, reason) in
        [("TRACE /v1/x", "method_not_allowed"), ("trace /v1/x", "bad_request_line")]
    {
        let answer = bench.request("bound.example", line, "", "");
        assert!(answer.contains(&format!("x-toolgate-reason: {reason}\r\n")), "{answer}");
    }
    assert_eq!(bench.origin.seen().len(), before);
    let log: String = bench.sidecar.records().iter().map(ToString::to_string).collect();
    let said = std::fs::read_to_string(bench.sidecar.path("stderr")).unwrap();
    assert!(!log.contains(KEY) && !said.contains(KEY));
    bench.sidecar.stop();
}

#[test]
fn a_stream_of_events_is_not_held_back() {
    let bench = Bench::start();
    let mut stream = bench.open("api.example");
    let text = format!("GET /v1/events HTTP/1.1\r\nHost: api.example:{}\r\n\r\n", bench.port);
    stream.write_all(text.as_bytes()).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 OK"));
    let mut heard = String::new();
    for event in ["one", "two", "three"] {
        while !heard.ends_with(&format!("data: {event}\n\n\r\n")) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            heard.push(char::from(byte[0]));
        }
        // Only now does the host send the next one.
        bench.origin.go_on.send(()).unwrap();
    }
    // The same connection bears another request.
    while !heard.ends_with("0\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        heard.push(char::from(byte[0]));
    }
    let text = format!("GET /v1/next HTTP/1.1\r\nHost: api.example:{}\r\n\r\n", bench.port);
    stream.write_all(text.as_bytes()).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 OK"));
    bench.sidecar.stop();
}

#[test]
fn an_answer_that_comes_before_the_body_is_heard() {
    let bench = Bench::start();
    let mut stream = bench.open("api.example");
    let text = format!(
        "POST /v1/things HTTP/1.1\r\nHost: api.example:{}\r\nx-early: yes\r\n\
         content-length: 30000000\r\n\r\n",
        bench.port
    );
    stream.write_all(text.as_bytes()).unwrap();
    // More than is held back to be looked through, and less than all.
    stream.write_all(&vec![b'x'; 2_000_000]).unwrap();
    stream.flush().unwrap();
    let said = head(&mut stream);
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("connection: close"), "{said}");
    let mut body = [0; 5];
    stream.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"early");
    drop(stream);
    let closed = bench.kinds("net.close", 1).remove(0).to_string();
    assert!(closed.contains("\"status\":413"), "{closed}");
    bench.sidecar.stop();
}

#[test]
fn whoever_says_no_more_still_hears_the_answer() {
    let bench = Bench::start();
    let mut stream = bench.open("api.example");
    let text = format!("GET /v1/slow HTTP/1.1\r\nHost: api.example:{}\r\n\r\n", bench.port);
    stream.write_all(text.as_bytes()).unwrap();
    stream.flush().unwrap();
    stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
    until("the request is there", || (!bench.origin.seen().is_empty()).then_some(()));
    bench.origin.go_on.send(()).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 OK"));
    bench.sidecar.stop();
}

#[test]
fn websocket_passes_where_the_operator_opened_the_host_for_it() {
    let bench = Bench::start();
    let mut stream = bench.open("bound.example");
    let text = format!(
        "GET /v1/socket HTTP/1.1\r\nHost: bound.example:{}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
        bench.port
    );
    stream.write_all(text.as_bytes()).unwrap();
    let said = head(&mut stream);
    assert!(said.starts_with("HTTP/1.1 101 ") && said.contains("sec-websocket-accept"), "{said}");
    stream.write_all(b"there and back").unwrap();
    let mut back = [0; 14];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"there and back");
    let seen = bench.origin.seen().remove(0).to_ascii_lowercase();
    assert!(seen.contains("upgrade: websocket") && seen.contains(KEY), "{seen}");
    drop(stream);
    assert_eq!(bench.kinds("net.close", 1).len(), 1);
    bench.sidecar.stop();
}

#[test]
fn what_cannot_be_opened_is_refused() {
    let bench = Bench::start();
    let (_, said) = bench.connect("elsewhere.example");
    assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
    assert!(said.contains("x-toolgate-reason: host_not_allowed"), "{said}");
    // The host's certificate is for other names.
    let answer = bench.request("wrong.example", "GET /", "", "");
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("x-toolgate-reason: upstream_tls"), "{answer}");
    // HTTP/2 alone is not spoken.
    let (stream, _) = bench.connect("api.example");
    let name = ServerName::try_from("api.example").unwrap();
    let client = ClientConnection::new(bench.config(&["h2"]), name).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    assert!(stream.write_all(b"x").and_then(|()| stream.flush()).is_err());
    // Nor is TLS for another name.
    let (stream, _) = bench.connect("api.example");
    let name = ServerName::try_from("bound.example").unwrap();
    let client = ClientConnection::new(bench.config(&["http/1.1"]), name).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    assert!(stream.write_all(b"x").and_then(|()| stream.flush()).is_err());
    let records = until("both are recorded", || {
        let text: String = bench.sidecar.records().iter().map(ToString::to_string).collect();
        text.contains("sni_mismatch").then_some(text)
    });
    assert!(records.contains("protocol_not_supported"), "{records}");
    // A tunnel that nothing needs to see inside stays closed: its certificate is the host's own.
    let mut stream = bench.open("free.example");
    assert!(stream.write_all(b"x").and_then(|()| stream.flush()).is_err());
    assert!(bench.origin.seen().is_empty());
    bench.sidecar.stop();
}
