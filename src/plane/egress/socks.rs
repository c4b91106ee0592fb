//! SOCKS5 (RFC 1928): a greeting, a login if the proxy wants one, one request. Only CONNECT is
//! served; a name is read as every other, and an address is one.

use super::entry::{Client, unread, words};
use super::reason::Reason;
use super::server::{Egress, farewell};
use super::socks5::{self, Reply as Code, read_greeting, read_login, read_request};
use super::tunnel::{self, Reply, Tunnel};
use std::io;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// Serves one client, until a tunnel stands or it is refused.
pub(super) async fn serve(
    egress: &Arc<Egress>,
    mut client: Client,
    until: Instant,
) -> Option<Tunnel> {
    let greeting = match part(egress, &mut client, until, read_greeting).await {
        Ok(greeting) => greeting?,
        Err(reason) => return refused(egress, client, reason, &NO_METHOD).await,
    };
    match &egress.settings.token {
        None if greeting.bare => client.socket.write_all(&[5, 0]).await.ok()?,
        None if !greeting.password => {
            return refused(egress, client, Reason::AuthFailed, &NO_METHOD).await;
        }
        Some(_) if !greeting.password => {
            return refused(egress, client, Reason::AuthRequired, &NO_METHOD).await;
        }
        None | Some(_) => {
            client.socket.write_all(&[5, 2]).await.ok()?;
            let login = match part(egress, &mut client, until, read_login).await {
                Ok(login) => login?,
                Err(reason) => return refused(egress, client, reason, &[1, 1]).await,
            };
            let right = |token: &super::token::Token| token.is(&login.password);
            if !egress.settings.token.as_ref().is_none_or(right) {
                return refused(egress, client, Reason::AuthFailed, &[1, 1]).await;
            }
            client.socket.write_all(&[1, 0]).await.ok()?;
        }
    }
    match part(egress, &mut client, until, read_request).await {
        Ok(authority) => tunnel::open(egress, client, authority?, Reply::Socks).await,
        Err(reason) => {
            let answer = Code::of(reason).to_bytes(None);
            refused(egress, client, reason, &answer).await
        }
    }
}

/// No way to log in is acceptable (RFC 1928 §3).
const NO_METHOD: [u8; 2] = [5, 0xff];

/// One message of the client; nothing if it goes away.
async fn part<T>(
    egress: &Egress,
    client: &mut Client,
    until: Instant,
    read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, Reason>,
) -> Result<Option<T>, Reason> {
    loop {
        if let Some((part, length)) = read(&client.read)? {
            client.take(length);
            return Ok(Some(part));
        }
        let more = tokio::select! {
            more = client.more(until) => more,
            () = egress.drain.notified() => return Ok(None),
        };
        match more {
            Ok(true) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Reason::HeaderTimeout);
            }
            Ok(false) | Err(_) => return Ok(None),
        }
    }
}

async fn refused(
    egress: &Egress,
    mut client: Client,
    reason: Reason,
    answer: &[u8],
) -> Option<Tunnel> {
    drop(unread(egress, &client, "socks5", reason, words(reason)).await);
    farewell(&mut client.socket, answer).await;
    None
}

/// What a SOCKS4 client is told.
pub(super) const SOCKS4_REFUSED: [u8; 8] = socks5::SOCKS4_REFUSED;
