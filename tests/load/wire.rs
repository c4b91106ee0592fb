//! The three ways in which an event reaches the sidecar: its socket spoken in this process, the
//! real client as a process, and HTTP with connections that are kept.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;
use toolgate::limits::HOOK_DEADLINE;
use toolgate::model::principal::Runtime;
use toolgate::plane::hook::client::{Settings, exchange};
use toolgate::plane::hook::protocol::Reply;

/// Where the sidecar is, and whether it is.
pub struct There {
    pub socket: PathBuf,
    pub http: PathBuf,
    pub token: &'static str,
    /// Odd while the sidecar is being stopped and started.
    pub epoch: AtomicUsize,
}

/// What came of one event.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The reply; nothing if there was none, which is a denial to whoever asked.
    pub reply: Option<Reply>,
    /// Whether the sidecar was stopped and started meanwhile.
    pub window: bool,
}

/// How a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Socket,
    Process,
    Http,
}

/// HTTP connections of one session, each with the time in which it was made.
pub type Kept = Mutex<Vec<(usize, BufReader<UnixStream>)>>;

impl There {
    /// Sends one event and waits for what comes of it.
    pub fn send(&self, way: Way, kept: &Kept, event: &Value) -> Answer {
        let before = self.epoch.load(SeqCst);
        let said = match way {
            Way::Socket => self.socket(event),
            Way::Process => self.process(event),
            Way::Http => self.http(kept, before, event),
        };
        let window = before % 2 == 1 || self.epoch.load(SeqCst) != before;
        let reply = said.map_err(|why| assert!(window, "no answer, and no restart: {why}")).ok();
        Answer { reply, window }
    }

    /// Waits while nobody is there.
    pub fn wait(&self) {
        while self.epoch.load(SeqCst) % 2 == 1 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn socket(&self, event: &Value) -> Result<Reply, String> {
        let settings = Settings {
            runtime: Runtime::Claude,
            socket: self.socket.to_str().unwrap().to_owned(),
            server_uid: None,
            deadline: HOOK_DEADLINE,
        };
        exchange(&settings, event.to_string().as_bytes(), Instant::now() + HOOK_DEADLINE)
    }

    fn process(&self, event: &Value) -> Result<Reply, String> {
        let arguments = ["claude", "--socket", self.socket.to_str().unwrap()];
        let output = crate::sidecar::hook(&arguments, event.to_string().as_bytes());
        let code = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap();
        Ok(Reply { code, stdout: output.stdout, stderr: output.stderr })
    }

    fn http(&self, kept: &Kept, epoch: usize, event: &Value) -> Result<Reply, String> {
        let found = kept.lock().unwrap().pop().filter(|(since, _)| *since == epoch);
        let mut stream = match found {
            Some((_, stream)) => stream,
            None => BufReader::new(dial(&self.http).map_err(|error| error.to_string())?),
        };
        let (body, token) = (event.to_string(), self.token);
        let request = format!(
            "POST /v1/hook/claude HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = stream.get_mut().write_all(request.as_bytes());
        sent.map_err(|error| error.to_string())?;
        let (said, is_last) = answer(&mut stream)?;
        if !is_last {
            kept.lock().unwrap().push((epoch, stream));
        }
        let denied = said.pointer("/hookSpecificOutput/permissionDecision") == Some(&"deny".into());
        let is_nothing = said.as_object().is_some_and(serde_json::Map::is_empty);
        let stdout = if is_nothing { Vec::new() } else { said.to_string().into_bytes() };
        Ok(Reply { code: if denied { 2 } else { 0 }, stdout, stderr: Vec::new() })
    }
}

fn dial(path: &Path) -> std::io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(HOOK_DEADLINE))?;
    Ok(stream)
}

/// One answer, and whether the connection ends with it.
fn answer(stream: &mut BufReader<UnixStream>) -> Result<(Value, bool), String> {
    let (mut length, mut is_last) = (None, false);
    for number in 0.. {
        let mut line = String::new();
        stream.read_line(&mut line).map_err(|error| error.to_string())?;
        let line = line.strip_suffix("\r\n").ok_or("the answer is cut short")?;
        if number == 0 {
            assert_eq!(line, "HTTP/1.1 200 OK");
        }
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.parse::<usize>().ok(),
            Some(("connection", "close")) => is_last = true,
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).map_err(|error| error.to_string())?;
    Ok((serde_json::from_slice(&body).unwrap(), is_last))
}
