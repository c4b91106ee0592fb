//! `toolgate bridge`: a port in a network namespace that leads to the proxy's socket.

use super::out::complain;
use super::{Outcome, failed};
use crate::limits::EGRESS_SOCKET;
use crate::plane::egress::bridge::{Far, serve};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where to listen: a loopback address and a port, 0 for any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3128")]
    listen: SocketAddr,
    /// The proxy's socket
    #[arg(long, value_name = "PATH", default_value = EGRESS_SOCKET)]
    socket: PathBuf,
    /// The user id that must be listening there
    #[arg(long, value_name = "UID")]
    server_uid: Option<u32>,
    /// Listen also where other machines could reach it
    #[arg(long)]
    expose: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { listen, socket, server_uid, expose } = arguments;
    if !listen.ip().to_canonical().is_loopback() && !expose {
        return failed(&format!(
            "`--listen {listen}` can be reached from other machines; use 127.0.0.1, or add \
             --expose if they may go out by it"
        ));
    }
    if !socket.is_absolute() {
        return failed(&format!("`--socket {}` must be an absolute path", socket.display()));
    }
    let far = Far { socket: socket.clone(), server_uid: *server_uid };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map(|runtime| runtime.block_on(lead(*listen, far)));
    match ended {
        Ok(Ok(())) => Outcome::Fine,
        Ok(Err(why)) => failed(&why),
        Err(error) => failed(&format!("the runtime cannot start: {error}")),
    }
}

/// Until it is told to stop.
async fn lead(listen: SocketAddr, far: Far) -> Result<(), String> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen at `{listen}`: {error}; name another --listen"))?;
    let at = listener.local_addr().map_err(|error| error.to_string())?;
    complain!("listening at {at}, leading to {}", far.socket.display());
    // Said once at the start, while somebody looks; it may be there by the time it is needed.
    if let Err(error) = far.connect().await {
        complain!("warning: {error}; until it does, connections are closed");
    }
    let mut stops = [SignalKind::terminate(), SignalKind::interrupt()]
        .into_iter()
        .map(signal)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("signals cannot be taken: {error}"))?;
    let stopped = std::future::poll_fn(|context| {
        match stops.iter_mut().any(|stop| stop.poll_recv(context).is_ready()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    tokio::select! {
        () = serve(listener, far) => {}
        () = stopped => {}
    }
    Ok(())
}
