//! The review pages over real sockets: who is let in, what every answer says to the browser, and
//! that nobody holds a decision up by asking. A browser looks at them in `tests/web`.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod sidecar;

use sidecar::{Sidecar, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

const POLICY: &str = r#"
schema = 1
[policy]
name    = "pages"
default = "deny"
[read]
allow = ["$workspace/"]
[call]
allow = ["$transparent"]
"#;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Pages that never answer fail the test here, and not at the machine's patience.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sidecar with its pages.
struct Pages {
    sidecar: Sidecar,
    address: String,
    link: String,
    _token: tempfile::TempDir,
}

/// A status, the head, and the rest.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Pages {
    fn new(review: &str) -> Pages {
        let token = tempfile::tempdir().unwrap();
        let file = token.path().join("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let lines = format!(
            "[review]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n{review}\n",
            file.display()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let sidecar = Sidecar::start_with(POLICY, &lines, &mut command);
        let link = until("the link is printed", || {
            let said = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
            let link = said.lines().find_map(|line| line.strip_prefix("review the log at "));
            link.map(str::to_owned)
        });
        let address = link.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        Pages { sidecar, address, link, _token: token }
    }

    /// What is answered to exactly these bytes.
    fn raw(&self, bytes: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut text = Vec::new();
        // A reset after the answer, where not all was read.
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = &self.address;
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n"
        ))
    }

    /// The header with the cookie that the token is exchanged for.
    fn cookie(&self) -> String {
        let login = self.ask("GET", &format!("/login?token={TOKEN}"), "");
        assert_eq!(login.status, 303, "{}", login.head);
        let cookie = login.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        format!("Cookie: {}\r\n", cookie.unwrap().split(';').next().unwrap())
    }
}

#[test]
fn only_who_shows_the_token_is_let_in() {
    let pages = Pages::new("");
    // The token of a file outlives the start: what a service says is kept where others read it.
    assert!(pages.link.contains("/login?token=... with the token of "), "{}", pages.link);
    let said = std::fs::read_to_string(pages.sidecar.path("stderr")).unwrap();
    assert!(!said.contains(TOKEN), "{said}");
    let cookie = pages.cookie();
    assert!(!cookie.contains(TOKEN), "the cookie is another secret");
    for path in ["/", "/explore", "/sessions", "/findings", "/policy"] {
        assert_eq!(pages.ask("GET", path, &cookie).status, 200, "{path}");
        assert_eq!(pages.ask("GET", path, "").status, 401, "{path}");
    }
    let cut = cookie.get(..cookie.len() - 3).unwrap();
    for wrong in [format!("{cut}\r\n"), format!("Authorization: Bearer {TOKEN}\r\n")] {
        assert_eq!(pages.ask("GET", "/", &wrong).status, 401, "{wrong}");
    }
    for wrong in ["/login", "/login?token=", "/login?token=x", "/login?tokem=1", "/events"] {
        let told = pages.ask("GET", wrong, "");
        assert_eq!(told.status, 401, "{wrong}");
        assert!(!told.head.contains("set-cookie"), "{wrong}");
    }
    // A fetch that another site's page made, as browsers mark it; a link may lead here.
    let fetched = format!("{cookie}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n");
    assert_eq!(pages.ask("GET", "/", &fetched).status, 401);
    let followed = format!("{cookie}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n");
    assert_eq!(pages.ask("GET", "/", &followed).status, 200);
    pages.sidecar.stop();
}

#[test]
fn it_answers_to_its_own_names_and_only_reads() {
    let pages = Pages::new("hosts = [\"review.example\"]");
    let cookie = pages.cookie();
    let port = pages.address.rsplit(':').next().unwrap();
    let named = |host: &str| {
        pages.raw(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n{cookie}Connection: close\r\n\r\n"))
    };
    for ours in [pages.address.clone(), format!("localhost:{port}"), "review.example".to_owned()] {
        assert_eq!(named(&ours).status, 200, "{ours}");
    }
    for other in ["evil.example", "127.0.0.1", "localhost:1", "review.example.evil.example"] {
        let told = named(other);
        assert!(told.status == 421 && !told.body.contains("Overview"), "{other}: {}", told.status);
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
        let told = pages.ask(method, "/", &cookie);
        assert_eq!(told.status, 405, "{method}");
        assert!(told.head.contains("allow: get, head"), "{}", told.head);
    }
    let head = pages.ask("HEAD", "/explore", &cookie);
    assert!(head.status == 200 && head.body.is_empty());
    assert_eq!(pages.ask("GET", "/nothing", &cookie).status, 404);
    pages.sidecar.stop();
}

#[test]
fn every_answer_tells_the_browser_what_it_may() {
    let pages = Pages::new("");
    let cookie = pages.cookie();
    for (path, headers) in [
        ("/", cookie.as_str()),
        ("/", ""),
        ("/login", ""),
        ("/nothing", &cookie),
        ("/record?id=1", &cookie),
    ] {
        let told = pages.ask("GET", path, headers);
        for line in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(told.head.contains(line), "{path}: {line}: {}", told.head);
        }
        assert!(!told.head.contains("access-control"), "{path}");
        assert!(!told.body.contains(" style=") && !told.body.contains("<script>"), "{path}");
    }
    pages.sidecar.stop();
}

#[test]
fn nobody_holds_a_decision_up_by_asking() {
    let pages = Pages::new("");
    // More than are served, each of which says nothing, or half of something.
    let held: Vec<TcpStream> = (0..80)
        .map(|number| {
            let mut stream = TcpStream::connect(&pages.address).unwrap();
            if number % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            }
            stream
        })
        .collect();
    let event = format!(
        r#"{{"hook_event_name":"PreToolUse","session_id":"s","cwd":"{0}","tool_name":"Read","tool_input":{{"file_path":"{0}/a"}},"tool_use_id":"t1"}}"#,
        pages.sidecar.path("work").display()
    );
    let told = pages.sidecar.hook(event);
    assert!(String::from_utf8_lossy(&told.stdout).contains("\"allow\""), "{told:?}");
    drop(held);
    let cookie = pages.cookie();
    let long = format!("{cookie}X: {}\r\n", "x".repeat(64 * 1024));
    let status = pages.ask("GET", "/", &long).status;
    assert!(status == 431 || status == 0, "{status}");
    let shown = pages.ask("GET", "/explore?kind=tool.pre", &cookie);
    assert!(shown.body.contains("tool=Read"), "the call is there to be looked at");
    pages.sidecar.stop();
}

#[test]
fn a_configuration_without_the_section_opens_nothing() {
    let sidecar = Sidecar::start(POLICY);
    let said = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
    assert!(!said.contains("review the log"), "{said}");
    sidecar.stop();
}
