//! The ways to a syslog daemon. Each call ends within a time limit.

use crate::limits::{SINK_IO_TIMEOUT, SINK_SILENT};
use nix::sys::socket::sockopt::TcpUserTimeout;
use nix::sys::socket::{MsgFlags, recv, setsockopt};
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

/// A way to a syslog daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogVia {
    /// A Unix datagram socket, as `/dev/log` is.
    Unix(PathBuf),
    /// Host and port. Nothing tells whether a message arrived.
    Udp(String),
    /// Host and port.
    Tcp(String),
}

impl std::fmt::Display for SyslogVia {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SyslogVia::Unix(path) => write!(f, "syslog at {}", path.display()),
            SyslogVia::Udp(address) => write!(f, "syslog at {address} (UDP)"),
            SyslogVia::Tcp(address) => write!(f, "syslog at {address} (TCP)"),
        }
    }
}

/// A way that is open.
pub(super) enum Connection {
    Unix { socket: UnixDatagram, path: PathBuf },
    Udp(UdpSocket),
    Tcp { stream: TcpStream, buffer: Vec<u8> },
}

/// A datagram over UDP, in bytes: what fits one of IPv4.
const UDP_BYTES_MAX: usize = 65_507;
/// One over a Unix socket; below the kernel's usual bound of a socket's buffer.
const UNIX_BYTES_MAX: usize = 128 * 1024;
/// Bytes gathered before they are written to a TCP stream.
const BUFFER_BYTES: usize = 64 * 1024;

impl Connection {
    pub(super) fn open(via: &SyslogVia) -> io::Result<Connection> {
        match via {
            SyslogVia::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(SINK_IO_TIMEOUT))?;
                socket.connect(path)?;
                Ok(Connection::Unix { socket, path: path.clone() })
            }
            SyslogVia::Udp(address) => {
                let to = resolve(address)?;
                let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.set_write_timeout(Some(SINK_IO_TIMEOUT))?;
                socket.connect(to)?;
                Ok(Connection::Udp(socket))
            }
            SyslogVia::Tcp(address) => {
                let stream = TcpStream::connect_timeout(&resolve(address)?, SINK_IO_TIMEOUT)?;
                stream.set_write_timeout(Some(SINK_IO_TIMEOUT))?;
                stream.set_nodelay(true)?;
                // Behind a firewall that swallows everything nothing else would ever fail.
                let silent = u32::try_from(SINK_SILENT.as_millis()).unwrap_or(u32::MAX);
                setsockopt(&stream, TcpUserTimeout, &silent)?;
                Ok(Connection::Tcp { stream, buffer: Vec::new() })
            }
        }
    }

    pub(super) fn message_bytes_max(&self) -> usize {
        match self {
            Connection::Unix { .. } | Connection::Tcp { .. } => UNIX_BYTES_MAX,
            Connection::Udp(_) => UDP_BYTES_MAX,
        }
    }

    pub(super) fn write(&mut self, message: &[u8]) -> io::Result<()> {
        let sent = match self {
            Connection::Unix { socket, .. } => socket.send(message)?,
            Connection::Udp(socket) => socket.send(message)?,
            Connection::Tcp { buffer, .. } => {
                buffer.extend_from_slice(format!("{} ", message.len()).as_bytes());
                buffer.extend_from_slice(message);
                if buffer.len() >= BUFFER_BYTES {
                    self.flush()?;
                }
                message.len()
            }
        };
        match sent == message.len() {
            true => Ok(()),
            false => Err(io::Error::other("a datagram was cut")),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Connection::Tcp { stream, buffer } = self {
            stream.write_all(buffer)?;
            buffer.clear();
        }
        Ok(())
    }

    /// Whether the other side is still the one that was connected to.
    pub(super) fn is_there(&mut self) -> io::Result<()> {
        match self {
            // A daemon that was killed leaves its socket's name behind.
            Connection::Unix { socket, path } => {
                UnixDatagram::unbound()?.connect(&*path)?;
                socket.peer_addr().map(drop)
            }
            Connection::Udp(socket) => match socket.take_error()? {
                Some(why) => Err(why),
                None => Ok(()),
            },
            Connection::Tcp { stream, .. } => {
                let mut byte = [0_u8; 1];
                match recv(stream.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT) {
                    Ok(0) => Err(ErrorKind::ConnectionReset.into()),
                    // Nobody speaks here, but it is there.
                    Ok(_) | Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => Ok(()),
                    Err(why) => Err(why.into()),
                }
            }
        }
    }
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    address.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))
}
