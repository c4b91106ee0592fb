//! A sidecar whose proxy listens, an origin of the test's own, and what is said between them.

use super::sidecar::{Sidecar, until};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Far above what anything here needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy that runs until it is dropped.
pub struct Proxy {
    pub sidecar: Sidecar,
    pub at: SocketAddr,
}

impl Proxy {
    /// Starts one with this policy and these lines under `[egress]`.
    pub fn start(policy: &str, egress: &str) -> Proxy {
        Proxy::start_logging(policy, egress, "")
    }

    /// The same with more lines under `[audit]`.
    pub fn start_logging(policy: &str, egress: &str, audit: &str) -> Proxy {
        let policy = format!(
            "schema = 1\n[policy]\nname = \"net\"\nversion = \"1\"\ndefault = \"deny\"\n{policy}"
        );
        let more = format!("{audit}\n[egress]\nlisten = [\"127.0.0.1:0\"]\n{egress}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let sidecar = Sidecar::start_logging(&policy, "", None, &more, &mut command);
        let at = until("the proxy says where it listens", || said(&sidecar, "proxy listens at "));
        Proxy { sidecar, at }
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.at)
    }

    /// Sends bytes on a connection of their own, and reads all that comes back.
    pub fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // It may have heard enough before the end.
        let _ = stream.write_all(bytes);
        to_the_end(&mut stream)
    }

    /// A tunnel to there, or what was answered instead.
    pub fn tunnel(&self, to: &str) -> Result<TcpStream, String> {
        let mut stream = self.connect();
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let head = head(&mut stream);
        if head.starts_with("HTTP/1.1 200 ") { Ok(stream) } else { Err(head) }
    }

    /// The records of connections so far, of this kind.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        let mut records = self.sidecar.records();
        records.retain(|record| record["kind"] == kind);
        records
    }

    /// Waits for as many records of a kind.
    pub fn wait(&self, kind: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} records of {kind}"), || {
            let records = self.records(kind);
            (records.len() >= count).then_some(records)
        })
    }

    /// The code of the newest refusal.
    pub fn last_reason(&self, kind: &str) -> String {
        let records = self.records(kind);
        let last = records.last().map(|record| record["details"]["reason"].clone());
        last.and_then(|reason| reason.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// What the sidecar said after these words.
pub fn said<T: std::str::FromStr>(sidecar: &Sidecar, words: &str) -> Option<T> {
    let text = std::fs::read_to_string(sidecar.path("stderr")).ok()?;
    let (_, rest) = text.split_once(words)?;
    rest.split_whitespace().next()?.parse().ok()
}

pub fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// All that comes until the other side ends, or resets.
pub fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it never ended ({error}): {}", String::from_utf8_lossy(&all)),
    }
    all
}

/// The head of a message, byte by byte.
pub fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("no head ({error}): {}", String::from_utf8_lossy(&head)),
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

pub fn exactly(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// The code of an answer.
pub fn code(answer: &str) -> &str {
    let line = answer.lines().find_map(|line| line.strip_prefix("x-toolgate-reason: "));
    line.unwrap_or_default()
}

/// What an origin does with each connection.
pub type Serve = dyn Fn(TcpStream) + Send + Sync;

/// A server of the test's own, which counts who comes.
pub struct Origin {
    pub at: SocketAddr,
    pub came: Arc<AtomicUsize>,
}

impl Origin {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Origin {
        Origin::start_at("127.0.0.1:0", serve)
    }

    pub fn start_at(at: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Origin {
        let listener = TcpListener::bind(at).unwrap();
        let at = listener.local_addr().unwrap();
        let came = Arc::new(AtomicUsize::new(0));
        let (count, serve): (_, Arc<Serve>) = (Arc::clone(&came), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Origin { at, came }
    }

    /// One that sends back what it gets.
    pub fn echo() -> Origin {
        Origin::start(echo)
    }

    pub fn port(&self) -> u16 {
        self.at.port()
    }

    pub fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

pub fn echo(mut stream: TcpStream) {
    let mut other = stream.try_clone().unwrap();
    let _ = std::io::copy(&mut stream, &mut other);
    let _ = other.shutdown(std::net::Shutdown::Write);
}

/// A `ClientHello` for this host, with these further extensions.
pub fn client_hello(sni: Option<&str>, more: &[u8]) -> Vec<u8> {
    let short = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let mut extensions = Vec::new();
    if let Some(sni) = sni {
        extensions.extend([0, 0]);
        extensions.extend(short(sni.len() + 5));
        extensions.extend(short(sni.len() + 3));
        extensions.push(0);
        extensions.extend(short(sni.len()));
        extensions.extend(sni.as_bytes());
    }
    // The groups and signatures that every client names.
    extensions.extend([0, 10, 0, 4, 0, 2, 0, 29]);
    extensions.extend([0, 13, 0, 4, 0, 2, 4, 3]);
    extensions.extend(more);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 2, 0x13, 1, 1, 0]);
    body.extend(short(extensions.len()));
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend(short(body.len()));
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(short(message.len()));
    record.extend(message);
    record
}

/// The Encrypted Client Hello extension (0xfe0d), as a browser makes one up.
pub const ECH: &[u8] = &[0xfe, 0x0d, 0, 4, 0, 0, 1, 0];
