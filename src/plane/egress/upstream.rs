//! Asking another proxy for a connection. Which address it dials nobody can vet, and each record
//! says so.

use crate::limits::HTTP_HEAD_BYTES_MAX;
use crate::model::url::Network;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks for a tunnel to there.
///
/// # Errors
/// If the proxy refuses, or says what is no answer.
pub(super) async fn connect(stream: &mut TcpStream, to: &Network) -> io::Result<()> {
    let port = to.port.unwrap_or_default();
    let request = format!("CONNECT {0}:{port} HTTP/1.1\r\nHost: {0}:{port}\r\n\r\n", to.host);
    stream.write_all(request.as_bytes()).await?;
    let refused = |why: &str| Err(io::Error::other(format!("the upstream proxy {why}")));
    // Byte by byte: what follows the answer is the tunnel's.
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= HTTP_HEAD_BYTES_MAX {
            return refused("says too much");
        }
        answer.push(stream.read_u8().await?);
    }
    let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    match status {
        Some([b'2', ..]) => Ok(()),
        _ => refused("refuses the connection"),
    }
}
