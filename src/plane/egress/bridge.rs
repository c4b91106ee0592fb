//! A port inside a network namespace that leads to the proxy's Unix socket outside of it.
//!
//! It judges nothing and reads nothing: bytes go through as they are, and the proxy judges them.
//! Where the proxy is not there, or another user listens in its place, a connection is closed
//! before a byte of it is read: nothing that comes here goes anywhere else.

use crate::limits::{BRIDGE_ACCEPT_PAUSE, BRIDGE_CONNECTIONS_MAX};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Semaphore;

/// Where connections lead.
#[derive(Debug, Clone)]
pub struct Far {
    /// The proxy's socket.
    pub socket: PathBuf,
    /// The user who must be listening there; anyone if nothing is said.
    pub server_uid: Option<u32>,
}

/// Why a connection was closed.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// Nobody listens there.
    #[error("the proxy does not answer at `{0}`: {1}")]
    NoProxy(String, std::io::Error),
    /// Somebody else does.
    #[error("user {1} listens at `{0}` instead of user {2}; nothing was sent there")]
    Stranger(String, u32, u32),
    /// One side broke off.
    #[error("{0}")]
    Broken(#[from] std::io::Error),
}

impl Far {
    /// A connection to the proxy.
    ///
    /// # Errors
    /// If nobody listens there, or another user than must.
    pub async fn connect(&self) -> Result<UnixStream, BridgeError> {
        let place = || self.socket.display().to_string();
        let far = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| BridgeError::NoProxy(place(), error))?;
        let Some(expected) = self.server_uid else { return Ok(far) };
        match far.peer_cred()?.uid() {
            uid if uid == expected => Ok(far),
            uid => Err(BridgeError::Stranger(place(), uid, expected)),
        }
    }

    async fn join(&self, mut near: TcpStream) -> Result<(), BridgeError> {
        near.set_nodelay(true)?;
        let mut far = self.connect().await?;
        tokio::io::copy_bidirectional(&mut near, &mut far).await?;
        Ok(())
    }
}

/// Leads every connection to the proxy, until it is dropped.
pub async fn serve(listener: TcpListener, far: Far) {
    let far = Arc::new(far);
    let room = Arc::new(Semaphore::new(BRIDGE_CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let near = match listener.accept().await {
            Ok((near, _)) => near,
            Err(error) => {
                // Most likely no descriptor is free: the backlog keeps who waits.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(BRIDGE_ACCEPT_PAUSE).await;
                continue;
            }
        };
        let far = Arc::clone(&far);
        tokio::spawn(async move {
            match far.join(near).await {
                Ok(()) | Err(BridgeError::Broken(_)) => {}
                Err(error) => tracing::warn!("{error}"),
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    /// A bridge to a socket at which each connection gets what it sent, once it has sent all.
    async fn bridge(server_uid: Option<u32>) -> (tempfile::TempDir, std::net::SocketAddr) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("egress.sock");
        let echo = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut one, _)) = echo.accept().await {
                let mut all = Vec::new();
                one.read_to_end(&mut all).await.unwrap();
                one.write_all(&all).await.unwrap();
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Far { socket, server_uid }));
        (dir, at)
    }

    async fn said(at: std::net::SocketAddr, text: &[u8]) -> Vec<u8> {
        let mut near = TcpStream::connect(at).await.unwrap();
        near.write_all(text).await.unwrap();
        near.shutdown().await.unwrap();
        let mut back = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), near.read_to_end(&mut back));
        let _ = read.await.unwrap();
        back
    }

    #[tokio::test]
    async fn bytes_go_through_and_a_closed_half_stays_half() {
        let (_dir, at) = bridge(Some(nix::unistd::geteuid().as_raw())).await;
        let long = vec![7; 300_000];
        assert_eq!(said(at, &long).await, long);
    }

    #[tokio::test]
    async fn nothing_is_sent_to_a_stranger() {
        let (_dir, at) = bridge(Some(nix::unistd::geteuid().as_raw() + 1)).await;
        assert_eq!(said(at, b"secret").await, b"");
    }

    #[tokio::test]
    async fn without_a_proxy_a_connection_is_closed() {
        let (dir, at) = bridge(None).await;
        std::fs::remove_file(dir.path().join("egress.sock")).unwrap();
        assert_eq!(said(at, b"hello").await, b"");
    }
}
