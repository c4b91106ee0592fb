//! A network without a way out, and other managed settings: namespaces of this process alone.
//!
//! It must run before any thread is started. Root needs no user namespace; anyone else gets one in
//! which they are who they were. Where neither can be had, the caller must find another way.

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use nix::unistd::{getegid, geteuid};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// Takes this process off the network, and puts `covers` over what lies there.
///
/// # Errors
/// In words, if the system does not let us.
pub(super) fn isolate(covers: &[(PathBuf, PathBuf)]) -> Result<(), String> {
    let mut flags = CloneFlags::CLONE_NEWNET;
    if !covers.is_empty() {
        flags |= CloneFlags::CLONE_NEWNS;
    }
    let said = |what: &str, error: Errno| format!("{what}: {}", error.desc());
    if unshare(flags).is_err() {
        let (uid, gid) = (geteuid(), getegid());
        unshare(flags | CloneFlags::CLONE_NEWUSER)
            .map_err(|error| said("no network namespace can be made", error))?;
        let map = |name: &str, text: String| {
            std::fs::write(format!("/proc/self/{name}"), text)
                .map_err(|error| format!("`/proc/self/{name}` cannot be written: {error}"))
        };
        map("setgroups", "deny".to_owned())?;
        map("uid_map", format!("{uid} {uid} 1"))?;
        map("gid_map", format!("{gid} {gid} 1"))?;
    }
    loopback_up().map_err(|error| said("the loopback cannot be set up", error))?;
    if covers.is_empty() {
        return Ok(());
    }
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|error| said("mounts cannot be made private", error))?;
    for (from, to) in covers {
        mount(Some(from), to, none, MsFlags::MS_BIND, none)
            .map_err(|error| said(&format!("`{}` cannot be covered", to.display()), error))?;
    }
    Ok(())
}

/// Sets the only interface of a new network namespace up, by one rtnetlink request.
fn loopback_up() -> Result<(), Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let protocol = SockProtocol::NetlinkRoute;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    sendto(socket.as_raw_fd(), &request(), &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut reply = [0u8; 256];
    let length = recv(socket.as_raw_fd(), &mut reply, MsgFlags::empty())?;
    // `struct nlmsgerr` after the head: an errno, negative, or 0.
    let code = reply.get(..length).and_then(|reply| reply.get(HEAD..HEAD + 4));
    let code = code.and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(Errno::from_raw(code.saturating_neg())),
        None => Err(Errno::EPROTO),
    }
}

/// The size of `struct nlmsghdr`.
const HEAD: usize = 16;

/// `RTM_NEWLINK` for interface 1, the loopback of every namespace: set `IFF_UP`.
fn request() -> Vec<u8> {
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 0x01 | 0x04;
    const UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(32u32.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend(1u32.to_ne_bytes()); // its number
    message.extend(0u32.to_ne_bytes()); // to the kernel
    message.extend([0, 0, 0, 0]); // any family, any type
    message.extend(1i32.to_ne_bytes()); // the interface
    message.extend(UP.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    message
}
