//! What a client does: a way to the origin, requests on it, and how long they took.

use crate::Failure;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How long any single step may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// What one read of a large answer takes.
const READ_BYTES: usize = 256 * 1024;

/// How the origin is reached.
#[derive(Debug, Clone)]
pub struct Way {
    /// Whom to connect to: a proxy, or the origin.
    pub first: SocketAddr,
    /// The origin as the proxy is asked for it; nothing without a proxy.
    pub through: Option<String>,
}

/// What one client, or all of them, did in one turn.
#[derive(Debug, Default)]
pub struct Done {
    /// How long each request took, in nanoseconds.
    pub times: Vec<u64>,
    /// Bytes of bodies.
    pub bytes: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Of the whole turn.
    pub took: Duration,
}

/// What the clients of a turn do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Requests one after the other through a way that stays open.
    Kept,
    /// One large answer each.
    Bulk,
    /// A connection and a CONNECT for each request.
    Anew,
    /// A connection for each request, which the proxy reads (absolute-form).
    Forwarded,
}

fn connect(first: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(first)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads a head; gives it and what was read behind it.
fn head(stream: &mut TcpStream) -> Result<(String, usize), Failure> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        read.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(read.get(..at).unwrap_or_default()).into_owned();
            return Ok((text, read.len() - at - 4));
        }
        if count == 0 {
            return Err(format!("no answer: {}", String::from_utf8_lossy(&read)).into());
        }
    }
}

impl Way {
    /// A connection to the origin.
    ///
    /// # Errors
    /// If there is none; the error is the proxy's answer if it gave one.
    pub fn open(&self) -> Result<TcpStream, Failure> {
        let mut stream = connect(self.first)?;
        if let Some(to) = &self.through {
            let asked = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
            stream.write_all(asked.as_bytes())?;
            let (said, _) = head(&mut stream)?;
            if said.split(' ').nth(1) != Some("200") {
                return Err(said.into());
            }
        }
        Ok(stream)
    }

    fn get(&self, file: &str, load: Load) -> Vec<u8> {
        let host = self.through.clone().unwrap_or_else(|| self.first.to_string());
        let target = match (load, &self.through) {
            (Load::Forwarded, Some(host)) => format!("http://{host}/{file}"),
            _ => format!("/{file}"),
        };
        let close = if load == Load::Kept { "" } else { "Connection: close\r\n" };
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{close}\r\n").into_bytes()
    }

    fn anew(&self, load: Load) -> Result<u64, Failure> {
        let mut stream = match load {
            Load::Forwarded => connect(self.first)?,
            _ => self.open()?,
        };
        let file = if load == Load::Bulk { "bulk" } else { "small" };
        stream.write_all(&self.get(file, load))?;
        let (said, ahead) = head(&mut stream)?;
        let length = length(&said)?;
        let mut buffer = vec![0; if load == Load::Bulk { READ_BYTES } else { 4096 }];
        let mut got = u64::try_from(ahead)?;
        while got < length {
            match stream.read(&mut buffer)? {
                0 => return Err("an answer was cut off".into()),
                count => got += u64::try_from(count)?,
            }
        }
        Ok(got)
    }
}

fn length(said: &str) -> Result<u64, Failure> {
    if said.split(' ').nth(1) != Some("200") {
        return Err(said.to_owned().into());
    }
    let fields = said.lines().filter_map(|line| line.split_once(':'));
    let mut same = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Ok(same.next().ok_or("no length")?.1.trim().parse()?)
}

/// One client's requests until the time is over.
fn one(way: &Way, load: Load, time: Duration, together: &Barrier) -> Result<Done, Failure> {
    let mut done = Done::default();
    let mut kept = match load {
        Load::Kept => Some(way.open()),
        _ => None,
    };
    together.wait();
    let until = Instant::now() + time;
    let asked = way.get("small", load);
    while Instant::now() < until {
        let began = Instant::now();
        let answered = match &mut kept {
            Some(Ok(stream)) => kept_request(stream, &asked),
            Some(Err(error)) => Err(error.to_string().into()),
            None => way.anew(load),
        };
        match answered {
            Ok(bytes) => {
                done.bytes += bytes;
                done.times.push(u64::try_from(began.elapsed().as_nanos())?);
            }
            Err(error) => {
                if done.failed == 0 {
                    eprintln!("a request failed: {error}");
                }
                done.failed += 1;
                if load != Load::Anew && load != Load::Forwarded {
                    break;
                }
            }
        }
        if load == Load::Bulk {
            break;
        }
    }
    Ok(done)
}

fn kept_request(stream: &mut TcpStream, asked: &[u8]) -> Result<u64, Failure> {
    stream.write_all(asked)?;
    let (said, ahead) = head(stream)?;
    let length = length(&said)?;
    let rest = usize::try_from(length)?.saturating_sub(ahead);
    stream.read_exact(&mut vec![0; rest])?;
    Ok(length)
}

/// So many clients at once.
///
/// # Errors
/// If one of them could not be run.
pub fn turn(way: &Way, load: Load, time: Duration, clients: usize) -> Result<Done, Failure> {
    let together = Barrier::new(clients + 1);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..clients)
            .map(|_| scope.spawn(|| one(way, load, time, &together).map_err(|e| e.to_string())))
            .collect();
        together.wait();
        let began = Instant::now();
        let mut sum = Done::default();
        for client in all {
            let done = client.join().map_err(|_| "a client panicked")??;
            sum.times.extend(done.times);
            sum.bytes += done.bytes;
            sum.failed += done.failed;
        }
        sum.took = began.elapsed();
        Ok(sum)
    })
}
