//! A host that tests connect to: it keeps what it was sent, and answers by the path.

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// Both directions of a connection.
pub trait Both: Read + Write + Send {}
impl<S: Read + Write + Send> Both for S {}

/// An authority of the tests, and what it signed.
pub struct Signed {
    pub authority: String,
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Signed {
    /// A certificate for these names.
    pub fn for_names(names: &[&str]) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let mut leaf = CertificateParams::default();
        let name = |name: &&str| SanType::DnsName((*name).try_into().unwrap());
        leaf.subject_alt_names = names.iter().map(name).collect();
        let key = KeyPair::generate().unwrap();
        let signed = leaf.signed_by(&key, &issuer).unwrap();
        let chain = vec![signed.der().clone()];
        let text = base64::engine::general_purpose::STANDARD.encode(authority.der());
        let authority = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        Signed { authority, chain, key: key.serialize_der() }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        Arc::new(builder.with_single_cert(self.chain.clone(), key).unwrap())
    }
}

/// A host that listens until the test ends.
pub struct Origin {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    /// Each word lets a stream of events go one event on.
    pub go_on: Sender<()>,
}

impl Origin {
    /// Over TLS with this certificate, or in the clear; what is not known is answered with `told`.
    pub fn start(signed: Option<&Signed>, told: &'static str) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (go_on, hears) = channel();
        let hears = Arc::new(Mutex::new(hears));
        let config = signed.map(Signed::config);
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, kept, hears) = (config.clone(), Arc::clone(&kept), Arc::clone(&hears));
                std::thread::spawn(move || serve(stream.unwrap(), config, &kept, &hears, told));
            }
        });
        Origin { address, seen, go_on }
    }

    /// Every request so far: head and body as they came.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    config: Option<Arc<ServerConfig>>,
    seen: &Mutex<Vec<String>>,
    hears: &Mutex<Receiver<()>>,
    told: &str,
) {
    let stream: Box<dyn Both> = match config {
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
        None => Box::new(stream),
    };
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream, seen) {
        let streams = request.contains("x-stream: yes");
        let request_is_slow = request.contains("x-slow: yes");
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        seen.lock().unwrap().push(request);
        let out = stream.get_mut();
        let said = match path.as_str() {
            path if streams || path.ends_with("/events") => events(out, hears),
            path if path.ends_with("/socket") => {
                out.write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
                      upgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n",
                )
                .and_then(|()| out.flush())
                .unwrap();
                let mut bytes = [0; 64];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    if stream.get_mut().write_all(&bytes[..count]).is_err() {
                        return;
                    }
                    let _ = stream.get_mut().flush();
                }
                return;
            }
            path => {
                if path.ends_with("/slow") || request_is_slow {
                    hears.lock().unwrap().recv().unwrap();
                }
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nalt-svc: h3=\":443\"\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{told}",
                    told.len()
                );
                out.write_all(answer.as_bytes())
            }
        };
        if said.and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

/// One event, and the next only when the test says so.
fn events(out: &mut dyn Both, hears: &Mutex<Receiver<()>>) -> std::io::Result<()> {
    out.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    for event in ["one", "two", "three"] {
        let data = format!("data: {event}\n\n");
        out.write_all(format!("{:x}\r\n{data}\r\n", data.len()).as_bytes())?;
        out.flush()?;
        hears.lock().unwrap().recv().map_err(std::io::Error::other)?;
    }
    out.write_all(b"0\r\n\r\n")
}

/// One whole request, or one that is answered before it is whole; with a body by its length or in chunks.
fn read(stream: &mut BufReader<Box<dyn Both>>, seen: &Mutex<Vec<String>>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_ascii_lowercase();
    if lower.contains("x-early: yes") {
        // Answered before its body has come, which nobody reads; the connection stays open.
        let answer = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 5\r\n\r\nearly";
        let out = stream.get_mut();
        out.write_all(answer.as_bytes()).and_then(|()| out.flush()).ok()?;
        seen.lock().unwrap().push(head);
        loop {
            std::thread::park();
        }
    }
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let mut text = head + &String::from_utf8_lossy(&body);
    while lower.contains("transfer-encoding: chunked") && !text.ends_with("0\r\n\r\n") {
        if stream.read_line(&mut text).ok()? == 0 {
            return None;
        }
    }
    Some(text)
}
