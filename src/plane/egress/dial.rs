//! Dialling, and only what may be dialled: the addresses of a permit, never a name.
//!
//! Several addresses are tried in turn, each a moment after the one before it (RFC 8305 §5), and
//! the first that answers is the one.

use crate::gate::network::Opened;
use crate::limits::EGRESS_NEXT_ADDRESS_AFTER;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Why nothing was dialled.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody answered in time.
    #[error("no answer in time")]
    Timeout,
    /// The system says so.
    #[error("{}", said(.0))]
    Io(#[from] io::Error),
}

/// The words of an error of our own; of the system's, its kind.
fn said(error: &io::Error) -> String {
    error.get_ref().map_or_else(|| error.kind().to_string(), ToString::to_string)
}

/// Dials what was opened.
///
/// # Errors
/// If none of its addresses answers.
pub async fn dial(
    opened: &Opened,
    patience: Duration,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let dialled = match opened.usable() {
        [] => return Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into()),
        [only] => timeout(patience, connect(*only)).await,
        several => timeout(patience, any(several)).await,
    };
    dialled.map_err(|_| DialError::Timeout)?.map_err(DialError::Io)
}

async fn connect(address: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect(address).await?;
    // What is small is sent at once: with Nagle a request would wait for an acknowledgement.
    stream.set_nodelay(true)?;
    Ok((stream, address))
}

async fn any(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    let mut trying = JoinSet::new();
    let mut rest = in_turn(addresses).into_iter();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = rest.next();
        let has_next = next.is_some();
        if let Some(address) = next {
            trying.spawn(connect(address));
        }
        loop {
            let ended = if has_next {
                match timeout(EGRESS_NEXT_ADDRESS_AFTER, trying.join_next()).await {
                    Ok(ended) => ended,
                    // The next joins those that are still trying.
                    Err(_) => break,
                }
            } else {
                trying.join_next().await
            };
            match ended {
                Some(Ok(Ok(connected))) => return Ok(connected),
                Some(Ok(Err(error))) => {
                    last = error;
                    if has_next {
                        break;
                    }
                }
                Some(Err(_)) => {}
                None if has_next => break,
                None => return Err(last),
            }
        }
    }
}

/// The families by turns, IPv6 first (RFC 8305 §4).
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let (six, four): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().copied().partition(SocketAddr::is_ipv6);
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut all = Vec::with_capacity(addresses.len());
    loop {
        let (one, other) = (six.next(), four.next());
        if one.is_none() && other.is_none() {
            return all;
        }
        all.extend(one.into_iter().chain(other));
    }
}
