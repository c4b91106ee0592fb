//! A model that sends an event every few milliseconds with the time at which it was sent, and a
//! client that says how long each was on its way. Both are threads of this process: one clock.

use crate::Failure;
use crate::client::Way;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Events of one answer.
pub const EVENTS: usize = 200;
const APART: Duration = Duration::from_millis(2);
const MARK: &str = "\"sent\":\"";

/// Starts it; it serves until the process ends.
///
/// # Errors
/// If it cannot listen.
pub fn start(clock: Instant) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let at = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // A client that went away needs no more events.
                let _ = serve(stream, clock);
            });
        }
    });
    Ok(at)
}

fn serve(mut stream: TcpStream, clock: Instant) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\
          connection: close\r\n\r\n",
    )?;
    for _ in 0..EVENTS {
        std::thread::sleep(APART);
        let sent = clock.elapsed().as_nanos();
        let event = format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
             \"delta\":{{\"type\":\"text_delta\",\"text\":\" word\"}},{MARK}{sent}\"}}\n\n"
        );
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
    }
    stream.write_all(b"0\r\n\r\n")?;
    Ok(())
}

/// How long each event of one answer was on its way, in nanoseconds.
///
/// # Errors
/// If it did not come whole.
pub fn stream(way: &Way, clock: Instant) -> Result<Vec<u64>, Failure> {
    let mut stream = way.open()?;
    let body = "{\"model\":\"m\",\"stream\":true}";
    let asked = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: model.example\r\ncontent-type: application/json\r\n\
         x-api-key: none\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(asked.as_bytes())?;
    let mut times = Vec::new();
    let (mut text, mut buffer) = (String::new(), [0; 16 * 1024]);
    while times.len() < EVENTS {
        let count = stream.read(&mut buffer)?;
        let now = clock.elapsed().as_nanos();
        if count == 0 {
            return Err(format!("the stream ended after {} events: {text}", times.len()).into());
        }
        text.push_str(&String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()));
        while let Some((_, rest)) = text.split_once(MARK) {
            let Some((sent, rest)) = rest.split_once('"') else { break };
            times.push(u64::try_from(now.saturating_sub(sent.parse::<u128>()?))?);
            text = rest.to_owned();
        }
    }
    Ok(times)
}
