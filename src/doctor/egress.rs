//! The way out: whether the proxy that the environment names is toolgate's and denies, and whether
//! anything but it leads out. Both are looked at from where the doctor runs: run it where the agent
//! does.

use super::check::{Outcome, Watch};
use super::subject::Subject;
use crate::limits::{DOCTOR_PROXY_HEAD_BYTES_MAX, DOCTOR_PROXY_TIMEOUT};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;

/// A name that nobody can have (RFC 2606), so that nothing is reached if it is let through.
const CANARY: &str = "toolgate-doctor.invalid:443";

/// The variables by which programs are told of a proxy for `https`, the one that curl takes first.
const VARIABLES: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];

/// Whether the proxy denies a name that no policy allows, and says why.
pub(super) fn denies(_: &Subject, _: &Watch) -> Outcome {
    let (variable, proxy) = match named() {
        Ok(Some(named)) => named,
        Ok(None) => return Outcome::Skipped(NOT_NAMED.to_owned()),
        Err(why) => return Outcome::Failed(why),
    };
    let head = match ask(&proxy) {
        Ok(head) => head,
        Err(why) => return Outcome::Failed(format!("`{variable}` names {proxy}: {why}")),
    };
    let status = head.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let reason = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-toolgate-reason").then(|| value.trim().to_owned())
    });
    match (status, reason.as_deref()) {
        ("403", Some(reason)) => {
            Outcome::Ok(format!("{proxy} (`{variable}`) denies {CANARY}: {reason}"))
        }
        ("407", Some(_)) => Outcome::Warning(format!(
            "{proxy} (`{variable}`) wants a token before it says anything of {CANARY}"
        )),
        ("200", _) => Outcome::Failed(format!("{proxy} (`{variable}`) lets {CANARY} through")),
        (_, None) => Outcome::Failed(format!("{proxy} (`{variable}`) is no proxy of toolgate's")),
        (status, Some(reason)) => {
            Outcome::Failed(format!("{proxy} (`{variable}`) answers {status}: {reason}"))
        }
    }
}

/// Whether a program that does not ask the proxy gets anywhere.
pub(super) fn only(_: &Subject, _: &Watch) -> Outcome {
    let routes = match Routes::read(Path::new("/proc/self/net")) {
        Ok(routes) => routes,
        Err(error) => return Outcome::Failed(format!("the routes cannot be read: {error}")),
    };
    match (named(), routes) {
        (_, Routes { interfaces, .. }) if interfaces.is_empty() => Outcome::Ok(
            "there is no route but this machine's own; what does not ask the proxy gets nowhere"
                .to_owned(),
        ),
        (Ok(None), _) => Outcome::Skipped(NOT_NAMED.to_owned()),
        (_, Routes { interfaces, leads_out: true }) => Outcome::Failed(format!(
            "a route leads out by {}: a program that ignores the proxy's variables goes there, \
             unless a firewall that cannot be seen from here holds it",
            list(&interfaces)
        )),
        (_, Routes { interfaces, leads_out: false }) => Outcome::Warning(format!(
            "no route leads out, but {} reaches its own network: whatever is there is reached \
             without the proxy",
            list(&interfaces)
        )),
    }
}

const NOT_NAMED: &str = "no proxy is named in `https_proxy`: set what `toolgate egress env` \
                         prints, and run the doctor where the agent runs";

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The variable, and the host and port that it names.
fn named() -> Result<Option<(&'static str, String)>, String> {
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let Some(variable) = VARIABLES.into_iter().find(set) else { return Ok(None) };
    let value = std::env::var(variable).map_err(|_| format!("`{variable}` is no text"))?;
    let rest = value.split_once("://").map_or(value.as_str(), |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    let authority = rest.rsplit_once('@').map_or(rest, |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => {
            Ok(Some((variable, authority.to_owned())))
        }
        _ => Err(format!("`{variable}` names no host and port")),
    }
}

/// What the proxy answers to the canary: the head of its answer.
fn ask(proxy: &str) -> Result<String, String> {
    let unreachable = |error: std::io::Error| format!("it does not answer ({error})");
    let addresses = proxy.to_socket_addrs().map_err(unreachable)?;
    let mut stream = Err("it has no address".to_owned());
    for address in addresses {
        stream = TcpStream::connect_timeout(&address, DOCTOR_PROXY_TIMEOUT).map_err(unreachable);
        if stream.is_ok() {
            break;
        }
    }
    let mut stream = stream?;
    stream.set_read_timeout(Some(DOCTOR_PROXY_TIMEOUT)).map_err(unreachable)?;
    stream.set_write_timeout(Some(DOCTOR_PROXY_TIMEOUT)).map_err(unreachable)?;
    let request = format!("CONNECT {CANARY} HTTP/1.1\r\nHost: {CANARY}\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(unreachable)?;
    let mut head = Vec::new();
    let mut some = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut some).map_err(unreachable)? {
            0 => break,
            read => head.extend(some.iter().take(read)),
        }
        if head.len() > DOCTOR_PROXY_HEAD_BYTES_MAX {
            return Err("its answer does not end".to_owned());
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The routes of this network namespace, but for the machine's own.
#[derive(Debug, PartialEq, Eq)]
struct Routes {
    /// By which interfaces.
    interfaces: BTreeSet<String>,
    /// Whether one of them is the route for everything else.
    leads_out: bool,
}

impl Routes {
    /// Reads the kernel's tables, as proc(5) has them.
    fn read(net: &Path) -> std::io::Result<Routes> {
        let v4 = std::fs::read_to_string(net.join("route"))?;
        let v6 = match std::fs::read_to_string(net.join("ipv6_route")) {
            Ok(text) => text,
            // A kernel without IPv6.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        Ok(Routes::of(&v4, &v6))
    }

    fn of(v4: &str, v6: &str) -> Routes {
        let mut routes = Routes { interfaces: BTreeSet::new(), leads_out: false };
        for line in v4.lines().skip(1) {
            let mut fields = line.split_ascii_whitespace();
            let (interface, destination) = (fields.next(), fields.next());
            let mask = fields.nth(5);
            let everything = destination == Some("00000000") && mask == Some("00000000");
            routes.add(interface, everything);
        }
        for line in v6.lines() {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let flags = fields.get(8).and_then(|flags| u32::from_str_radix(flags, 16).ok());
            // RTF_REJECT: a route that refuses.
            let refuses = flags.is_some_and(|flags| flags & 0x0200 != 0);
            let everything = fields.get(1) == Some(&"00");
            if !refuses {
                routes.add(fields.get(9).copied(), everything);
            }
        }
        routes
    }

    fn add(&mut self, interface: Option<&str>, everything: bool) {
        if let Some(interface) = interface.filter(|name| *name != "lo") {
            self.interfaces.insert(interface.to_owned());
            self.leads_out |= everything;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n";

    #[test]
    fn routes_are_read_as_the_kernel_writes_them() {
        let of = |v4: &str, v6: &str| {
            let routes = Routes::of(&format!("{HEAD}{v4}"), v6);
            (routes.interfaces.into_iter().collect::<Vec<_>>().join(","), routes.leads_out)
        };
        assert_eq!(of("", ""), (String::new(), false));
        let default = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        assert_eq!(of(default, ""), ("eth0".to_owned(), true));
        let local = "eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(of(local, ""), ("eth1".to_owned(), false));
        let zero = "0".repeat(32);
        let v6 = |length: &str, flags: &str, name: &str| {
            format!("{zero} {length} {zero} 00 {zero} 00000400 00000001 00000000 {flags} {name}\n")
        };
        assert_eq!(of("", &v6("00", "00000003", "eth0")), ("eth0".to_owned(), true));
        assert_eq!(of("", &v6("00", "00200200", "lo")), (String::new(), false));
        assert_eq!(of("", &v6("00", "00200200", "eth0")), (String::new(), false));
        assert_eq!(of("", &v6("40", "00000001", "eth0")), ("eth0".to_owned(), false));
    }
}
