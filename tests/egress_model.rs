//! The model's listener over real sockets: a key that the agent does not have, the few paths that
//! pass, streams that are not held back, and the usage that is written down.
#![cfg(test)]

#[path = "harness/origin.rs"]
mod origin;
#[expect(dead_code, reason = "not every test asks all of the harness")]
#[path = "harness/sidecar.rs"]
mod sidecar;

use origin::{Origin, Signed};
use serde_json::Value;
use sidecar::{Sidecar, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const POLICY: &str = "schema = 1\n[policy]\nname = \"model\"\ndefault = \"deny\"\n";
/// The secret; it must be nowhere but in what the model was sent.
const KEY: &str = "the-real-key-of-the-operator-0123456789";
const TOKEN: &str = "session-token-0123456789abcdef-0123456789";
const ANSWER: &str = r#"{"id":"msg_1","model":"m-1","stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":0}}"#;

struct Bench {
    sidecar: Sidecar,
    origin: Origin,
    at: String,
    _secret: tempfile::TempDir,
}

impl Bench {
    fn start(provider: &str, encrypted: bool, token: bool) -> Bench {
        let secret = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let file = |name: &str, text: &str| {
            let path = secret.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path.display().to_string()
        };
        let signed = Signed::for_names(&["model.example"]);
        let origin = Origin::start(encrypted.then_some(&signed), ANSWER);
        let port = origin.address.port();
        let upstream = match encrypted {
            true => format!("https://model.example:{port}"),
            false => format!("http://127.0.0.1:{port}"),
        };
        let token = match token {
            true => format!("token_file = \"{}\"", file("token", TOKEN)),
            false => String::new(),
        };
        let lines = format!(
            "[egress]\nresolver = \"none\"\nca_file = \"{}\"\n\
             static = {{ \"model.example\" = [\"127.0.0.1\"] }}\n\
             [egress.model]\nlisten = \"127.0.0.1:0\"\nprovider = \"{provider}\"\n\
             upstream = \"{upstream}\"\ncredential = \"model\"\n{token}\n\
             [[credential]]\nname = \"model\"\nheader = \"x-api-key\"\n\
             source = {{ file = \"{}\" }}\n",
            file("ca.pem", &signed.authority),
            file("key", KEY),
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let sidecar = Sidecar::start_with(POLICY, &lines, &mut command);
        let place = until("it says where", || {
            let said = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
            let rest = said.split_once("the model is reached at http://")?.1.to_owned();
            Some(rest.split_once('\n')?.0.trim().to_owned())
        });
        let at = place.split('/').next().unwrap().to_owned();
        Bench { sidecar, origin, at, _secret: secret }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// What is answered to one request, which ends its connection.
    fn ask(&self, request: &str, fields: &str, body: &str) -> String {
        let mut stream = self.connect();
        let text = format!(
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}content-length: {}\r\n\
             \r\n{body}",
            self.at,
            body.len()
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The details of every record of this kind, once there are so many.
    fn details(&self, kind: &str, count: usize) -> Vec<Value> {
        until(kind, || {
            let records = self.sidecar.records();
            let found: Vec<Value> =
                records.into_iter().filter(|record| record["kind"] == kind).collect();
            (found.len() >= count).then_some(found)
        })
    }
}

fn has(value: &Value, what: &str) -> bool {
    value.to_string().contains(what)
}

#[test]
fn the_key_is_set_and_what_the_client_says_of_itself_is_not() {
    for encrypted in [false, true] {
        let bench = Bench::start("anthropic", encrypted, false);
        let fields = "x-api-key: sk-wrong-1\r\nX-Api-Key: sk-wrong-2\r\nX_Api_Key: sk-wrong-4\r\nAuthorization: Bearer sk-3\r\n\
                      anthropic-version: 2023-06-01\r\nanthropic-beta: b\r\naccept-encoding: gzip\r\n\
                      Cookie: a=b\r\nKeep-Alive: 5\r\n";
        let answer = bench.ask("POST /v1/messages?beta=true", fields, "{\"model\":\"m-1\"}");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(ANSWER), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("alt-svc"), "{answer}");
        let seen = bench.origin.seen().remove(0);
        assert!(seen.starts_with("POST /v1/messages?beta=true HTTP/1.1\r\n"), "{seen}");
        assert_eq!(seen.matches(KEY).count(), 1, "{seen}");
        assert!(seen.contains(&format!("x-api-key: {KEY}\r\n\r\n{{")), "{seen}");
        for gone in ["sk-wrong", "sk-3", "Cookie", "gzip", "Keep-Alive"] {
            assert!(!seen.contains(gone), "{gone}: {seen}");
        }
        for kept in ["anthropic-version: 2023-06-01", "anthropic-beta: b"] {
            assert!(seen.contains(kept), "{kept}: {seen}");
        }
        let host = if encrypted { "model.example" } else { "127.0.0.1" };
        assert!(
            seen.contains(&format!("Host: {host}:")) || seen.contains(&format!("host: {host}:"))
        );
        let closed = bench.details("net.close", 1).remove(0);
        for part in [
            "\"model\":\"m-1\"",
            "\"input_tokens\":3",
            "\"output_tokens\":4",
            "\"cache_read_tokens\":0",
            "\"stop_reason\":\"end_turn\"",
            "\"request_id\":\"msg_1\"",
            "\"provider\":\"anthropic\"",
            "\"status\":200",
            "\"streaming\":false",
        ] {
            assert!(has(&closed, part), "{part}: {closed}");
        }
        let opened = bench.details("net.open", 1).remove(0);
        assert!(has(&opened, "\"form\":\"model\"") && has(&opened, "\"reason\":\"allowed\""));
        assert_eq!(opened["call"], closed["call"]);
        let log: String = bench.sidecar.records().iter().map(ToString::to_string).collect();
        let said = std::fs::read_to_string(bench.sidecar.path("stderr")).unwrap();
        assert!(!log.contains(KEY) && !said.contains(KEY));
        bench.sidecar.stop();
    }
}

#[test]
fn a_few_requests_pass_and_no_others() {
    let bench = Bench::start("anthropic", false, false);
    for (request, fields, status, reason) in [
        ("GET /v1/messages", "", "403", "method_not_allowed"),
        ("POST /v1/files", "", "403", "path_not_allowed"),
        ("POST /v1/messages/batches", "", "403", "path_not_allowed"),
        ("POST /v1/messages/../files", "", "403", "path_not_allowed"),
        ("POST /v1/%6Dessages", "", "403", "path_not_allowed"),
        ("GET /v1/organizations/users", "", "403", "path_not_allowed"),
        ("POST http://evil.example/v1/messages", "", "400", "authority_mismatch"),
        ("POST /v1/messages", "transfer-encoding: chunked\r\n", "400", "bad_framing"),
        ("POST /v1/messages", "Host: evil.example\r\n", "400", "duplicate_host"),
        (
            "POST /v1/messages",
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
            "403",
            "upgrade_not_allowed",
        ),
    ] {
        let answer = bench.ask(request, fields, "{}");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(
            answer.contains(&format!("x-toolgate-reason: {reason}\r\n")),
            "{request}: {answer}"
        );
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["type"], "error", "{request}");
        assert!(body["error"]["message"].as_str().unwrap().contains(reason), "{request}");
    }
    assert!(bench.origin.seen().is_empty());
    assert_eq!(bench.details("net.open", 10).len(), 10);
    assert!(bench.ask("POST /v1/messages/count_tokens", "", "{}").starts_with("HTTP/1.1 200 "));
    bench.sidecar.stop();
}

#[test]
fn without_the_token_nobody_is_served() {
    let bench = Bench::start("openai", false, true);
    for (fields, reason) in [
        (String::new(), "auth_required"),
        ("Authorization: Bearer wrong\r\n".to_owned(), "auth_failed"),
        (format!("Authorization: Bearer {TOKEN}\r\nx-api-key: wrong\r\n"), "auth_failed"),
    ] {
        let answer = bench.ask("POST /v1/responses", &fields, "{}");
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains(&format!("x-toolgate-reason: {reason}\r\n")), "{answer}");
    }
    for fields in [
        format!("Authorization: Bearer {TOKEN}\r\n"),
        format!("x-api-key: {TOKEN}\r\n"),
        format!("x-api-key: {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\n"),
    ] {
        let answer = bench.ask("POST /v1/chat/completions", &fields, "{}");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(bench.origin.seen().iter().all(|seen| !seen.contains(TOKEN)));
    bench.sidecar.stop();
}

#[test]
fn a_connection_bears_one_request_after_the_other() {
    let bench = Bench::start("anthropic", true, false);
    let mut stream = bench.connect();
    for _ in 0..3 {
        let text = format!(
            "POST /v1/messages HTTP/1.1\r\nHost: {}\r\ncontent-length: 2\r\n\r\n{{}}",
            bench.at
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(ANSWER.as_bytes()) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
    assert_eq!(bench.details("net.close", 3).len(), 3);
    bench.sidecar.stop();
}

/// Reads up to this text.
fn until_it_says(stream: &mut TcpStream, text: &str) -> String {
    let mut heard = String::new();
    while !heard.ends_with(text) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        heard.push(char::from(byte[0]));
    }
    heard
}

#[test]
fn a_stream_is_not_held_back_and_ends_when_its_client_does() {
    let bench = Bench::start("anthropic", true, false);
    let ask = || {
        let mut stream = bench.connect();
        let text = format!(
            "POST /v1/messages HTTP/1.1\r\nHost: {}\r\nx-stream: yes\r\ncontent-length: 2\r\n\
             \r\n{{}}",
            bench.at
        );
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let mut stream = ask();
    for event in ["one", "two", "three"] {
        let heard = until_it_says(&mut stream, &format!("data: {event}\n\n\r\n"));
        assert!(!heard.contains("0\r\n\r\n"), "{heard}");
        // Only now does the model send the next one.
        bench.origin.go_on.send(()).unwrap();
    }
    until_it_says(&mut stream, "0\r\n\r\n");
    let closed = bench.details("net.close", 1).remove(0);
    assert!(has(&closed, "\"streaming\":true") && has(&closed, "\"cause\":\"done\""), "{closed}");
    let mut stream = ask();
    until_it_says(&mut stream, "data: one\n\n\r\n");
    drop(stream);
    let closed = bench.details("net.close", 2).remove(1);
    assert!(has(&closed, "\"cause\":\"client_closed\"") && has(&closed, "\"complete\":false"));
    bench.sidecar.stop();
}

#[test]
fn an_answer_that_comes_before_the_body_is_heard() {
    let bench = Bench::start("anthropic", true, false);
    let mut stream = bench.connect();
    let text = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: {}\r\nx-early: yes\r\n\
         content-length: 30000000\r\n\r\nbegun",
        bench.at
    );
    stream.write_all(text.as_bytes()).unwrap();
    let answer = until_it_says(&mut stream, "early");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    drop(stream);
    let closed = bench.details("net.close", 1).remove(0);
    assert!(has(&closed, "\"status\":413"), "{closed}");
    bench.sidecar.stop();
}

#[test]
fn whoever_says_no_more_still_hears_the_answer() {
    let bench = Bench::start("anthropic", true, false);
    let mut stream = bench.connect();
    let text = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: {}\r\nx-slow: yes\r\ncontent-length: 2\r\n\
         \r\n{{}}",
        bench.at
    );
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    until("the request is there", || (!bench.origin.seen().is_empty()).then_some(()));
    bench.origin.go_on.send(()).unwrap();
    let answer = until_it_says(&mut stream, ANSWER);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    bench.sidecar.stop();
}

#[test]
fn an_upstream_whose_certificate_does_not_verify_gets_no_key() {
    let mut bench = Bench::start("anthropic", true, false);
    // Another authority signs the same name.
    let other = Signed::for_names(&["model.example"]);
    std::fs::write(bench._secret.path().join("ca.pem"), other.authority).unwrap();
    let config = bench.sidecar.path("toolgate.toml");
    bench.sidecar.child.kill().unwrap();
    bench.sidecar.child.wait().unwrap();
    let said = std::fs::File::create(bench.sidecar.path("stderr")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    bench.sidecar.child =
        command.arg("serve").arg("--config").arg(config).stderr(said).spawn().unwrap();
    bench.at = until("it says where", || {
        let said = std::fs::read_to_string(bench.sidecar.path("stderr")).unwrap();
        let rest = said.split_once("the model is reached at http://")?.1.to_owned();
        Some(rest.split_once('\n')?.0.trim().to_owned())
    });
    let answer = bench.ask("POST /v1/messages", "", "{}");
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(bench.origin.seen().is_empty());
    let closed = bench.details("net.close", 1).remove(0);
    assert!(has(&closed, "\"reason\":\"upstream_tls\""), "{closed}");
}
