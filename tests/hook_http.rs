//! HTTP hooks over real sockets: whatever is sent, the answer is 200 with one JSON object, which
//! holds the call back in the runtime's own words wherever the socket's answer would.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use serde_json::{Value, json};
use sidecar::{Sidecar, until};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

const POLICY: &str = r#"
schema = 1
[policy]
name    = "hook-http"
default = "deny"
[read]
allow = ["$workspace/"]
[write]
allow = ["$workspace/"]
ask   = ["$workspace/ci/"]
[call]
allow = ["$transparent", "mcp:notes/list"]
[[rule]]
id     = "keys"
redact = "output"
match  = ["$keys"]
"#;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const MIB: usize = 1024 * 1024;
/// A sidecar that never answers fails the test here, and not at the machine's patience.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sidecar with a listener for HTTP hooks.
struct Bench {
    sidecar: Sidecar,
    address: SocketAddr,
    _token: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench::with("")
    }

    /// With more lines under `[http]`.
    fn with(http: &str) -> Bench {
        let token = token_file(format!("{TOKEN}\n").as_bytes(), 0o600);
        let file = token.path().join("token").display().to_string();
        let listen = if http.contains("listen") { "" } else { "listen = \"127.0.0.1:0\"" };
        let lines = format!("[http]\n{listen}\ntoken_file = \"{file}\"\n{http}\n");
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let sidecar = Sidecar::start_with(POLICY, &lines, &mut command);
        let url = said(&sidecar, "answering HTTP hooks on ");
        let at = url.strip_prefix("http://").map(|rest| rest.split_once('/').unwrap().0);
        let address = at.unwrap_or("127.0.0.1:0").parse().unwrap();
        Bench { sidecar, address, _token: token }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// All that comes back to these bytes. The other end may hang up before it has read them all.
    fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        rest(&mut stream)
    }

    /// The one answer to an event.
    fn ask(&self, event: &Value) -> Value {
        one(&self.say(&request(&event.to_string())))
    }

    /// What the log says of inputs that were refused: why, and how often.
    fn refusals(&self, why: &str) -> Vec<u64> {
        let mut records = self.sidecar.records();
        records.retain(|record| record["kind"] == "bad_input");
        let details = records.iter().map(|record| &record["details"]);
        let of = details.filter(|details| details["why"].as_str().unwrap().contains(why));
        of.map(|details| details["count"].as_u64().unwrap_or(1)).collect()
    }
}

/// The rest of the line that begins so, once the sidecar has said it.
fn said(sidecar: &Sidecar, beginning: &str) -> String {
    until(beginning, || {
        let said = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
        let whole = said.lines().filter(|_| said.ends_with('\n'));
        whole.into_iter().find_map(|line| Some(line.split_once(beginning)?.1.to_owned()))
    })
}

/// A directory with a file `token` in it.
fn token_file(text: &[u8], mode: u32) -> tempfile::TempDir {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = scratch.path().join("token");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    scratch
}

fn rest(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// A request as Claude Code sends it, but for the headers that are given.
fn with_headers(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /v1/hook/claude HTTP/1.1\r\nAccept: application/json, text/plain, */*\r\n\
         Content-Type: application/json\r\n{headers}User-Agent: axios/1.15.2\r\n\
         Content-Length: {length}\r\nAccept-Encoding: gzip, compress, deflate, br\r\n\
         Host: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n{body}"
    )
    .into_bytes()
}

fn request(body: &str) -> Vec<u8> {
    with_headers(&format!("Authorization: Bearer {TOKEN}\r\n"), body)
}

/// One answer, off the front of what came: 200, one JSON object, and nothing that is not counted.
fn take(bytes: &[u8]) -> (Value, &[u8]) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    if head.starts_with("http/1.1 100 ") {
        return take(&bytes[end + 4..]);
    }
    assert!(head.starts_with("http/1.1 200 ok") || head.starts_with("http/1.0 200 ok"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let (body, rest) = bytes[end + 4..].split_at(length.parse().unwrap());
    let body: Value = serde_json::from_slice(body).unwrap();
    assert!(body.is_object());
    (body, rest)
}

/// The only answer that came.
fn one(bytes: &[u8]) -> Value {
    let (answer, rest) = take(bytes);
    assert_eq!(String::from_utf8_lossy(rest), "");
    answer
}

/// The reason of what must be the exact denial.
fn denied(answer: &Value) -> &str {
    let reason = answer["hookSpecificOutput"]["permissionDecisionReason"].as_str();
    let reason = reason.unwrap_or_else(|| panic!("no denial: {answer}"));
    let exact = json!({"hookSpecificOutput": {
        "hookEventName": "PreToolUse", "permissionDecision": "deny",
        "permissionDecisionReason": reason,
    }});
    assert_eq!(*answer, exact);
    reason
}

/// An event of Claude Code with these fields of its own, whose name stands where it puts it.
fn event(name: &str, own: &Value) -> Value {
    let mut event = json!({
        "session_id": "s", "cwd": "/", "permission_mode": "default", "hook_event_name": name,
    });
    event.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
    event
}

fn pre(tool: &str, input: &Value) -> Value {
    event("PreToolUse", &json!({"tool_name": tool, "tool_input": input, "tool_use_id": "u"}))
}

/// A read that the policy lets through.
fn good(bench: &Bench) -> Value {
    pre("Read", &json!({"file_path": bench.sidecar.path("work/a")}))
}

fn is_allowed(answer: &Value) -> bool {
    answer["hookSpecificOutput"]["permissionDecision"] == "allow"
}

/// The sidecar is there and judges as ever.
fn lives(bench: &mut Bench) {
    assert!(is_allowed(&bench.ask(&good(bench))));
    assert!(bench.sidecar.is_alive());
}

/// What can go wrong: its name, what is sent for a body, and what the reason must say.
type Failure = (&'static str, Send, &'static str);
/// An event, made into what is sent.
type Send = Box<dyn Fn(&str) -> Vec<u8>>;

/// Whole events in requests that are refused before they are read as such.
fn refused() -> Vec<Failure> {
    let swap = |from: &'static str, to: &str| -> Send {
        let to = to.to_owned();
        Box::new(move |body: &str| {
            let whole = String::from_utf8(request(body)).unwrap();
            assert!(whole.contains(from));
            whole.replacen(from, &to, 1).into_bytes()
        })
    };
    let headers =
        |headers: String| -> Send { Box::new(move |body: &str| with_headers(&headers, body)) };
    let many: String = (0..65).map(|n| format!("X-{n}: y\r\n")).collect();
    let good = format!("Authorization: Bearer {TOKEN}\r\n");
    vec![
        ("no token", headers(String::new()), "token"),
        ("an empty token", headers("Authorization: Bearer \r\n".into()), "token"),
        ("a wrong token", headers(good.replace('0', "1")), "token"),
        ("a longer token", headers(good.replace("\r\n", "0\r\n")), "token"),
        ("a shorter token", headers(good.replace("f\r\n", "\r\n")), "token"),
        ("another scheme", headers(good.replace("Bearer", "Basic")), "token"),
        ("two tokens", headers(good.repeat(2)), "token"),
        ("another path", swap("/v1/hook/claude", "/v1/hook/codex"), "POST /v1/hook/claude"),
        ("no path", swap("/v1/hook/claude", "/"), "POST /v1/hook/claude"),
        ("a path with more", swap("/v1/hook/claude", "/v1/hook/claude/"), "POST /v1/hook/claude"),
        ("a path with dots", swap("/v1/hook/claude", "/v1/x/../hook/claude"), "POST /v1/"),
        ("a star", swap("/v1/hook/claude", "*"), "POST /v1/hook/claude"),
        ("GET", swap("POST", "GET"), "POST /v1/hook/claude"),
        ("PUT", swap("POST", "PUT"), "POST /v1/hook/claude"),
        ("OPTIONS", swap("POST", "OPTIONS"), "POST /v1/hook/claude"),
        ("DELETE", swap("POST", "DELETE"), "POST /v1/hook/claude"),
        ("TRACE", swap("POST", "TRACE"), "POST /v1/hook/claude"),
        ("a method of no one", swap("POST", "BREW"), "POST /v1/hook/claude"),
        ("a method in small letters", swap("POST", "post"), "POST /v1/hook/claude"),
        ("no method", swap("POST ", ""), "cannot read this request"),
        ("another version", swap("HTTP/1.1", "HTTP/3.0"), "cannot read this request"),
        ("no version", swap(" HTTP/1.1", ""), "cannot read this request"),
        ("a header without a colon", swap("Accept:", "Accept"), "cannot read this request"),
        ("a header with a space", swap("Accept:", "Accept :"), "cannot read this request"),
        ("a NUL in a header", swap("axios", "ax\0ios"), "cannot read this request"),
        ("a folded header", swap("axios", "ax\r\n ios"), "cannot read this request"),
        ("no length that is one", swap("Length: ", "Length: x"), "cannot read this request"),
        ("a length below nothing", swap("Length: ", "Length: -"), "cannot read this request"),
        (
            "two lengths",
            swap("Content-Length: ", "Content-Length: 1\r\nContent-Length: 1"),
            "cannot read this request",
        ),
        (
            "an encoding of no one",
            swap("Accept:", "Transfer-Encoding: brew\r\nAccept:"),
            "cannot read this request",
        ),
        ("too many headers", headers(format!("{good}{many}")), "cannot read this request"),
    ]
}

/// Events that break off, or are too large.
fn cut() -> Vec<Failure> {
    let chunks = |tail: &'static str| -> Send {
        Box::new(move |body: &str| {
            let open = body.strip_suffix('}').unwrap();
            let head = String::from_utf8(request("")).unwrap();
            let head = head.replace("Content-Length: 0", "Transfer-Encoding: chunked");
            format!("{head}{:x}\r\n{open}\r\n{tail}", open.len()).into_bytes()
        })
    };
    let padded = |open: &str, size: usize| format!("{open},\"x\":\"{}\"}}", "y".repeat(size));
    vec![
        (
            "less than was stated",
            Box::new(|body: &str| {
                let mut whole = request(&format!("{body}   "));
                whole.truncate(whole.len() - 4);
                whole
            }),
            "cut short",
        ),
        (
            "more than may be",
            Box::new(move |body: &str| request(&padded(body.strip_suffix('}').unwrap(), 16 * MIB))),
            "larger than 16 MiB",
        ),
        (
            "far more than may be stated",
            Box::new(|body: &str| {
                let open = body.strip_suffix('}').unwrap();
                let whole = String::from_utf8(request(open)).unwrap();
                let length = format!("Content-Length: {}", open.len());
                whole.replace(&length, "Content-Length: 1152921504606846976").into_bytes()
            }),
            "larger than 16 MiB",
        ),
        ("chunks without an end", chunks(""), "cut short"),
        ("a chunk of no size", chunks("x\r\n"), "cut short"),
        ("a chunk of a size beyond all", chunks("fffffffffffffffff\r\n"), "cut short"),
        ("a chunk without its end", chunks("1\r\n y"), "cut short"),
    ]
}

#[test]
fn every_failure_is_200_and_a_denial_or_nothing_where_nothing_is_held_back() {
    let mut bench = Bench::new();
    let gates = good(&bench).to_string();
    let tells = event("Stop", &json!({"stop_hook_active": false})).to_string();
    for (name, send, because) in refused().into_iter().chain(cut()) {
        println!("{name}");
        let answer = one(&bench.say(&send(&gates)));
        assert!(denied(&answer).contains(because), "{name}: {answer}");
        let answer = one(&bench.say(&send(&tells)));
        assert_eq!(answer, json!({}), "{name}");
    }
    lives(&mut bench);
    bench.sidecar.stop();
}

#[test]
fn what_tells_nothing_of_its_event_is_denied() {
    let mut bench = Bench::new();
    let junk = |bytes: &[u8]| bench.say(bytes);
    let huge = format!("X: {}\r\n", "y".repeat(100 * 1024));
    let long = |path: usize| {
        String::from_utf8(request("")).unwrap().replace("/v1", &"/v1".repeat(path)).into_bytes()
    };
    for (name, answer, because) in [
        ("a byte", junk(b"x"), "cannot read this request"),
        ("a line", junk(b"read /etc/passwd\r\n\r\n"), "cannot read this request"),
        ("bytes", junk(&(0..=255).collect::<Vec<u8>>()), "cannot read this request"),
        ("half a head", junk(b"POST /v1/hook/claude HTTP/1.1\r\nAccept: "), "cannot read this"),
        ("the socket's protocol", junk(b"toolgate/1 claude 2\n{}"), "cannot read this request"),
        ("TLS", junk(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "cannot read this request"),
        ("HTTP/2", junk(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "cannot read this request"),
        ("a huge header", junk(&with_headers(&huge, "{}")), "cannot read this request"),
        ("a huge path", junk(&long(100_000)), "cannot read this request"),
        ("a long path", junk(&long(1_000)), "POST /v1/hook/claude"),
        ("nothing in it", junk(&request("")), "EOF"),
        ("no JSON", junk(&request("{x")), "cannot read this event"),
        ("an array", junk(&request("[]")), "cannot read this event"),
        ("two events", junk(&request("{}{}")), "trailing"),
        ("a compressed event", junk(&request("\x1f\x08\0\0\0")), "cannot read this event"),
    ] {
        let answer = one(&answer);
        assert!(denied(&answer).contains(because), "{name}: {answer}");
    }
    // Who says nothing is told nothing.
    assert_eq!(junk(b""), b"");
    // What has no body by its method gets one all the same, and then the end.
    for method in ["HEAD", "CONNECT"] {
        let whole = String::from_utf8(request("")).unwrap().replace("POST", method);
        assert!(!denied(&one(&junk(whole.as_bytes()))).is_empty(), "{method}");
    }
    lives(&mut bench);
    bench.sidecar.stop();
}

#[test]
fn the_answer_is_that_of_the_socket() {
    let bench = Bench::new();
    let key = format!("AKIA{}", "A".repeat(16));
    let at = |name: &str| bench.sidecar.path(name).display().to_string();
    let ran = |tool: &str, output: Value| {
        let own = json!({"tool_name": tool, "tool_input": {}, "tool_response": output});
        event("PostToolUse", &own)
    };
    let events = [
        ("allow", good(&bench)),
        ("ask", pre("Write", &json!({"file_path": at("work/ci/x"), "content": ""}))),
        ("deny", pre("Read", &json!({"file_path": "/etc/passwd"}))),
        ("deny", pre("Bash", &json!({"command": "curl https://drop.example"}))),
        ("deny", pre("NewTool", &json!({}))),
        ("deny", event("PreToolUse", &json!({"tool_name": "Read"}))),
        ("deny", event("SomethingNew", &json!({"tool_input": {}}))),
        ("updatedToolOutput", ran("Bash", json!({"stdout": key, "stderr": "", "isImage": false}))),
        ("updatedMCPToolOutput", ran("mcp__notes__list", json!(key))),
        ("", ran("Bash", json!({"stdout": "x", "stderr": "", "isImage": false}))),
        ("", event("SessionStart", &json!({"source": "startup"}))),
        ("", event("Stop", &json!({"stop_hook_active": false}))),
        ("", event("Notification", &json!({"message": "m"}))),
        ("", event("SessionEnd", &json!({"reason": "other"}))),
    ];
    for (word, event) in &events {
        let socket = bench.sidecar.hook(event.to_string()).stdout;
        let socket = match socket.as_slice() {
            [] => json!({}),
            said => serde_json::from_slice(said).unwrap(),
        };
        let http = bench.ask(event);
        assert_eq!(http, socket, "{event}");
        assert!(http.to_string().contains(word), "{word}: {http}");
    }
    bench.sidecar.stop();
}

#[test]
fn a_request_may_come_in_any_form_that_http_has() {
    let bench = Bench::new();
    let body = good(&bench).to_string();
    let whole = String::from_utf8(request(&body)).unwrap();
    let length = format!("Content-Length: {}", body.len());
    let chunked = |size: usize| {
        let head = whole.split_once("\r\n\r\n").unwrap().0;
        let head = head.replace(&length, "Transfer-Encoding: chunked");
        let chunks = body.as_bytes().chunks(size);
        let chunk = |chunk: &[u8]| {
            format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap())
        };
        let chunks: String = chunks.map(chunk).collect();
        format!("{head}\r\n\r\n{chunks}0\r\nX-Trailer: y\r\n\r\n")
    };
    for (name, request) in [
        ("as it is", whole.clone()),
        ("one chunk", chunked(1_000_000)),
        ("chunks", chunked(7)),
        ("a byte a chunk", chunked(1)),
        ("a length and no body yet", whole.replace("Accept:", "Expect: 100-continue\r\nAccept:")),
        ("HTTP/1.0", whole.replace("HTTP/1.1", "HTTP/1.0")),
        ("the last one", whole.replace("keep-alive", "close")),
        ("a query", whole.replace("/claude", "/claude?x=y")),
        ("another type", whole.replace("application/json\r\n", "text/plain\r\n")),
        ("small letters", whole.replace("Authorization: Bearer", "authorization: bearer")),
        ("an empty line before it", format!("\r\n{whole}")),
    ] {
        assert!(is_allowed(&one(&bench.say(request.as_bytes()))), "{name}");
    }
    // An event may be as large as Claude Code's largest.
    let large = json!({"file_path": bench.sidecar.path("work/a"), "content": "y".repeat(5 * MIB)});
    assert!(is_allowed(&bench.ask(&pre("Write", &large))));
    bench.sidecar.stop();
}

#[test]
fn a_client_that_waits_for_leave_to_send_is_given_it() {
    let bench = Bench::new();
    let whole = String::from_utf8(request(&good(&bench).to_string())).unwrap();
    let whole = whole.replace("Accept:", "Expect: 100-continue\r\nAccept:");
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    let mut stream = bench.connect();
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).unwrap();
    assert_eq!(leave, *b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(is_allowed(&one(&rest(&mut stream))));
    bench.sidecar.stop();
}

#[test]
fn requests_behind_each_other_are_answered_in_their_order() {
    let bench = Bench::new();
    let allowed = request(&good(&bench).to_string());
    let refused = with_headers("", &good(&bench).to_string());
    let told = request(&event("Stop", &json!({})).to_string());
    let unread = b"POST /v1/hook/claude HTTP/1.1\r\n:\r\n\r\n".to_vec();
    let line = [&allowed[..], &refused, &told, &allowed, &unread, &allowed].concat();
    let answers = bench.say(&line);
    let (first, answers) = take(&answers);
    let (second, answers) = take(answers);
    let (third, answers) = take(answers);
    let (fourth, answers) = take(answers);
    assert!(is_allowed(&first) && is_allowed(&fourth));
    assert!(denied(&second).contains("token"));
    assert_eq!(third, json!({}));
    // Behind what cannot be read nothing can be.
    assert!(denied(&one(answers)).contains("cannot read this request"));
    bench.sidecar.stop();
}

#[test]
fn a_connection_serves_a_thousand_requests() {
    let bench = Bench::new();
    let request = request(&event("Stop", &json!({})).to_string());
    let mut stream = bench.connect();
    let mut length = 0;
    for number in 0..1_000 {
        stream.write_all(&request).unwrap();
        // Each is as long as the first, which ends with its object.
        let mut answer = vec![0; length];
        if length == 0 {
            while !answer.ends_with(b"{}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.extend(byte);
            }
            length = answer.len();
            let head = String::from_utf8(answer.clone()).unwrap();
            assert!(head.contains("\r\nkeep-alive: timeout=60\r\n"), "{head}");
        } else {
            stream.read_exact(&mut answer).unwrap();
        }
        assert_eq!(one(&answer), json!({}), "{number}");
    }
    let told = bench.sidecar.records();
    assert_eq!(told.iter().filter(|record| record["details"]["event"] == "Stop").count(), 1_000);
    bench.sidecar.stop();
}

#[test]
fn whoever_is_slow_is_answered_and_keeps_nobody_waiting() {
    let mut bench = Bench::new();
    let gates = request(&good(&bench).to_string());
    let tells = request(&event("Stop", &json!({})).to_string());
    let stuck = |bytes: &[u8]| {
        let mut stream = bench.connect();
        stream.write_all(bytes).unwrap();
        stream
    };
    let mut head: Vec<TcpStream> = (0..100).map(|_| stuck(&gates[..40])).collect();
    let mut body: Vec<TcpStream> = (0..100).map(|_| stuck(&gates[..gates.len() - 1])).collect();
    let mut told: Vec<TcpStream> = (0..20).map(|_| stuck(&tells[..tells.len() - 1])).collect();
    // While they hang, others are served; at once, or when the first of them are given up.
    lives(&mut bench);
    for stream in head.iter_mut().chain(&mut body) {
        assert!(denied(&one(&rest(stream))).contains("did not arrive in time"));
    }
    for stream in &mut told {
        assert_eq!(one(&rest(stream)), json!({}));
    }
    lives(&mut bench);
    // A flood of them is a number in the log, and not a record each.
    let counted = until("they are counted", || {
        let counts = bench.refusals("did not arrive in time");
        (counts.iter().sum::<u64>() == 220).then_some(counts.len())
    });
    assert!(counted < 22, "{counted}");
    bench.sidecar.stop();
}

#[test]
fn who_does_not_read_the_answer_takes_nobody_elses_place() {
    let mut bench = Bench::with("connections = 2");
    let request = request(&event("Stop", &json!({})).to_string());
    let mut greedy: Vec<TcpStream> = (0..2).map(|_| bench.connect()).collect();
    for stream in &mut greedy {
        stream.write_all(&request).unwrap();
    }
    // Both places are asked for again at once: an answer on a short listener is the last one.
    lives(&mut bench);
    for stream in &mut greedy {
        assert_eq!(one(&rest(stream)), json!({}));
    }
    bench.sidecar.stop();
}

#[test]
fn a_sidecar_that_stops_answers_who_has_begun_to_ask() {
    let mut bench = Bench::new();
    let gates = request(&good(&bench).to_string());
    let stuck = |length: usize| {
        let mut stream = bench.connect();
        stream.write_all(&gates[..length]).unwrap();
        stream
    };
    let mut idle = bench.connect();
    idle.write_all(&gates).unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(first, *b"HTTP/1.1 200 OK");
    let (mut head, mut body) = (stuck(40), stuck(gates.len() - 1));
    // Both are being read: a third that came later is served already.
    assert!(is_allowed(&bench.ask(&good(&bench))));
    nix::sys::signal::kill(bench.sidecar.pid(), nix::sys::signal::Signal::SIGTERM).unwrap();
    until("nobody listens any more", || TcpStream::connect(bench.address).err());
    // One asks too late; the other had asked.
    head.write_all(&gates[40..]).unwrap();
    body.write_all(&gates[gates.len() - 1..]).unwrap();
    let late = one(&rest(&mut head));
    assert!(denied(&late).contains("the guard is closing"), "{late}");
    assert!(is_allowed(&one(&rest(&mut body))));
    rest(&mut idle);
    let status = until("it stops", || bench.sidecar.child.try_wait().unwrap());
    assert!(status.success());
}

#[test]
fn nobody_is_known_over_tcp_and_a_token_proves_what_its_file_says() {
    for (line, sender) in [("", "unproven"), ("token_is_secret = true", "proven")] {
        let bench = Bench::with(line);
        assert!(is_allowed(&bench.ask(&good(&bench))));
        let records = bench.sidecar.records();
        let record = records.iter().find(|record| record["kind"] == "tool.pre").unwrap();
        assert_eq!(record["sender"], sender);
        assert!(record.get("uid").is_none(), "{record}");
        // A stranger is nobody, whatever is said of the token.
        let refused = bench.say(&with_headers("", &good(&bench).to_string()));
        assert!(denied(&one(&refused)).contains("token"));
        bench.sidecar.stop();
    }
}

#[test]
fn a_unix_socket_knows_its_users() {
    let us = nix::unistd::geteuid().as_raw();
    for (allowed, is_heard) in [(us, true), (us + 1, false)] {
        // Relative places are refused, and the scratch directory is known only later.
        let place = tempfile::Builder::new().prefix("h").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let place = place.unwrap();
        let socket = place.path().join("http");
        let listen = format!("listen = \"unix:{}\"\nallow_uid = [{allowed}]", socket.display());
        let bench = Bench::with(&listen);
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(&request(&good(&bench).to_string())).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = one(&rest(&mut stream));
        if is_heard {
            assert!(is_allowed(&answer));
            let records = bench.sidecar.records();
            let record = records.iter().find(|record| record["kind"] == "tool.pre").unwrap();
            assert_eq!(record["uid"], us);
        } else {
            assert!(denied(&answer).contains("this user may not speak"));
            assert_eq!(bench.refusals("this user may not speak"), [1]);
        }
        let mode = std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        bench.sidecar.stop();
        assert!(!socket.exists());
    }
}

#[test]
fn what_goes_over_a_limit_is_denied_and_counted() {
    let bench = Bench::with("events_per_second = 5\nsessions_max = 2");
    let of = |session: &str| {
        let mut event = good(&bench);
        event["session_id"] = json!(session);
        event
    };
    assert!(is_allowed(&bench.ask(&of("a"))) && is_allowed(&bench.ask(&of("b"))));
    let third = bench.ask(&of("c"));
    assert!(denied(&third).contains("too many sessions"), "{third}");
    assert!(is_allowed(&bench.ask(&of("a"))));
    // Far more than two seconds' worth, at once.
    let flood = [request(&of("a").to_string()).repeat(200), {
        request(&event("Stop", &json!({})).to_string())
    }];
    let answers = bench.say(&flood.concat());
    let mut left = &answers[..];
    let mut all = Vec::new();
    while !left.is_empty() {
        let (answer, rest) = take(left);
        all.push(answer);
        left = rest;
    }
    assert_eq!(all.len(), 201);
    // A denial of what gates nothing is nothing.
    assert_eq!(all.pop(), Some(json!({})));
    let over: Vec<&Value> = all.iter().filter(|answer| !is_allowed(answer)).collect();
    assert!(over.len() > 100, "{}", over.len());
    assert!(over.iter().all(|answer| denied(answer).contains("too many events")));
    let counts = until("they are counted", || {
        let counts = bench.refusals("too many events");
        (counts.iter().sum::<u64>() > over.len() as u64 - 1).then_some(counts)
    });
    assert!(counts.len() < 10, "{counts:?}");
    bench.sidecar.stop();
}

#[test]
fn the_hook_socket_has_the_same_limits() {
    let start = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        Sidecar::start_with(POLICY, line, &mut command)
    };
    let stop = event("Stop", &json!({})).to_string();
    let told = |sidecar: &Sidecar| {
        let output = sidecar.hook(pre("Read", &json!({"file_path": "/etc/passwd"})).to_string());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let busy = start("events_per_second = 1");
    // Two seconds' worth, and then none until they are forgiven.
    let over =
        until("there are too many", || Some(told(&busy)).filter(|why| why.contains("too many")));
    assert!(over.contains("too many events"), "{over}");
    let output = busy.hook(&stop);
    assert_eq!((output.status.code(), output.stdout), (Some(0), Vec::new()));
    busy.stop();
    let crowded = start("connections_per_uid = 1");
    let mut first = UnixStream::connect(crowded.socket()).unwrap();
    let over =
        until("the first is seen", || Some(told(&crowded)).filter(|w| w.contains("too many")));
    assert!(over.contains("too many connections"), "{over}");
    first.shutdown(Shutdown::Write).unwrap();
    rest(&mut first);
    until("the first is gone", || Some(told(&crowded)).filter(|why| !why.contains("too many")));
    crowded.stop();
}

#[test]
fn only_root_gives_a_socket_away() {
    let scratch = tempfile::Builder::new().prefix("o").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let scratch = scratch.unwrap();
    let (at, socket) = (scratch.path().display(), scratch.path().join("run/s"));
    let (us, other) = (nix::unistd::geteuid(), nix::unistd::geteuid().as_raw() + 1);
    let config = format!(
        "[hook]\nsocket = \"{}\"\nowner = {other}\n[policy]\nworkspace = \"{at}/work\"\n\
         [audit]\ndir = \"{at}/audit\"\n",
        socket.display()
    );
    std::fs::write(scratch.path().join("toolgate.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.args(["serve", "--config"]).arg(scratch.path().join("toolgate.toml"));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    if us.is_root() {
        let owner = || std::fs::metadata(&socket).ok().map(|meta| meta.uid());
        until("the socket is the other's", || owner().filter(|uid| *uid == other));
        // Its directory stays ours, and the other can pass through.
        let directory = std::fs::metadata(socket.parent().unwrap()).unwrap();
        assert_eq!((directory.uid(), directory.mode() & 0o777), (us.as_raw(), 0o711));
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(us.is_root() || told.contains("only root"), "{told}");
}

#[test]
fn nothing_listens_unless_it_is_asked_for() {
    let sidecar = Sidecar::start(POLICY);
    said(&sidecar, "listening on ");
    let all = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
    assert!(!all.contains("HTTP"), "{all}");
    sidecar.stop();
    let token = token_file(TOKEN.as_bytes(), 0o600);
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("serve").arg("--http-token-file").arg(token.path().join("token"));
    for (name, at) in [("--socket", "run/s"), ("--audit", "audit"), ("--workspace", "work")] {
        command.arg(name).arg(token.path().join(at));
    }
    std::fs::create_dir(token.path().join("work")).unwrap();
    let output = command.env("HOME", token.path()).env_remove("XDG_CONFIG_HOME").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("needs `listen`"), "{told}");
}

#[test]
fn a_sidecar_does_not_start_with_a_listener_or_a_token_that_guards_nothing() {
    let whole = TOKEN.as_bytes();
    for (address, text, mode, because) in [
        ("0.0.0.0:0", whole, 0o600, "other machines"),
        ("[::]:0", whole, 0o600, "other machines"),
        ("192.0.2.1:0", whole, 0o600, "other machines"),
        ("localhost:0", whole, 0o600, "an address and a port"),
        ("127.0.0.1:0", whole, 0o644, "open to every user"),
        ("127.0.0.1:0", whole, 0o602, "open to every user"),
        ("127.0.0.1:0", &whole[1..], 0o600, "fewer than 32"),
        ("127.0.0.1:0", b"", 0o600, "fewer than 32"),
        ("127.0.0.1:0", &[b'x'; 5_000], 0o600, "larger than 4096"),
    ] {
        let scratch = token_file(text, mode);
        let error = refusal(&scratch, address, Some("token"));
        assert!(error.contains(because), "{address} {mode:o}: {error}");
    }
    let scratch = token_file(whole, 0o600);
    for (file, because) in
        [(None, "`token_file`"), (Some("none"), "cannot be read"), (Some("."), "no regular file")]
    {
        let error = refusal(&scratch, "127.0.0.1:0", file);
        assert!(error.contains(because), "{file:?}: {error}");
    }
    let pipe = scratch.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(refusal(&scratch, "127.0.0.1:0", Some("pipe")).contains("no regular file"));
}

/// Why `toolgate serve --http ADDRESS --http-token-file FILE` ends with 2.
fn refusal(scratch: &tempfile::TempDir, address: &str, file: Option<&str>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let at = |name: &str| scratch.path().join(name);
    let _ = std::fs::create_dir(at("work"));
    command.arg("serve").arg("--socket").arg(at("run/s")).arg("--audit").arg(at("audit"));
    command.arg("--workspace").arg(at("work")).args(["--http", address]);
    if let Some(file) = file {
        command.arg("--http-token-file").arg(at(file));
    }
    command.env("HOME", scratch.path()).env_remove("XDG_CONFIG_HOME").stdin(Stdio::null());
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    told
}
