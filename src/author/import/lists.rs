//! What other guards' lists come to in our words, and what of them has no counterpart.

use crate::model::host::{Authority, Host, Name, parse_port};

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Patterns of what may be reached.
    pub(super) allow: Vec<String>,
    /// Patterns of what a person is asked about.
    pub(super) ask: Vec<String>,
    /// Patterns of what must not be reached.
    pub(super) deny: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) left_out: Vec<String>,
}

/// To which list an entry belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Allow,
    Ask,
    Deny,
}

/// Which ports an entry without one means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// All: what the sandboxes' proxies take such an entry for.
    Every,
    /// Those of `http` and `https`: what a fetch of a page uses.
    OfWeb,
}

impl Lists {
    /// Takes down a pattern of ours, once.
    pub(super) fn add(&mut self, list: List, pattern: String) {
        let list = match list {
            List::Allow => &mut self.allow,
            List::Ask => &mut self.ask,
            List::Deny => &mut self.deny,
        };
        if !list.contains(&pattern) {
            list.push(pattern);
        }
    }

    /// A host as these lists write it: `name`, `*.name`, `**.name`, an address, each with or
    /// without a port, or `*`.
    pub(super) fn host(&mut self, list: List, place: &str, entry: &str, ports: Ports) {
        match pattern(entry, ports) {
            Some(pattern) => {
                if pattern == "**" && list == List::Allow {
                    self.notes.push(format!(
                        "{place} allows every host; private addresses stay closed all the same"
                    ));
                }
                self.add(list, pattern);
            }
            None => self.left_out.push(format!("{place}: {entry:?} is no host that can be judged")),
        }
    }

    /// The path of a Unix socket.
    pub(super) fn socket(&mut self, place: &str, path: &str) {
        let is_clean = !path.chars().any(char::is_control) && !path.contains(['*', '?', '[', '{']);
        let anchored = match path {
            _ if !is_clean => None,
            _ if path.starts_with('/') || path.starts_with("~/") => Some(path.to_owned()),
            _ => path.strip_prefix("./").map(|rest| format!("$workspace/{rest}")),
        };
        match anchored {
            Some(path) => self.add(List::Allow, format!("unix:{path}")),
            None => self
                .left_out
                .push(format!("{place}: {path:?} must begin with `/` or `~/`, without wildcards")),
        }
    }

    /// Lists that should hold texts: those they hold, and what else stands there.
    pub(super) fn texts<'a>(&mut self, place: &str, value: &'a serde_json::Value) -> Vec<&'a str> {
        let Some(items) = value.as_array() else {
            self.left_out.push(format!("{place} is no list"));
            return Vec::new();
        };
        let (texts, others): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.is_string());
        self.left_out.extend(others.iter().map(|other| format!("{place}: {other} is no text")));
        texts.into_iter().filter_map(serde_json::Value::as_str).collect()
    }
}

/// The pattern that means the same.
fn pattern(entry: &str, ports: Ports) -> Option<String> {
    let entry = entry.trim();
    if entry == "*" || entry == "**" {
        return Some("**".to_owned());
    }
    let (wild, rest) = match entry.strip_prefix("**.") {
        Some(rest) => ("**.", rest),
        None => entry.strip_prefix("*.").map_or(("", entry), |rest| ("*.", rest)),
    };
    let (host, port) = split(rest)?;
    let host = match host {
        Host::Address(_) if !wild.is_empty() => return None,
        host => host.to_string(),
    };
    let port = match (port, ports) {
        (Some(port), _) => format!(":{port}"),
        (None, Ports::Every) => ":*".to_owned(),
        (None, Ports::OfWeb) => String::new(),
    };
    Some(format!("{wild}{host}{port}"))
}

/// Host and port of an entry, which a person wrote: in any script, and IPv6 without brackets.
fn split(text: &str) -> Option<(Host, Option<u16>)> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Some((Host::Address(address), None));
    }
    if let Ok(Authority { host, port }) = Authority::parse(text) {
        return Some((host, port));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(parse_port(port).ok()?)),
        None => (text, None),
    };
    Some((Host::Name(Name::from_unicode(name).ok()?), port))
}
