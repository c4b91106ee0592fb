//! Hosts that a program's words name: URLs, `user@host`, `host:path`, git repositories.
//!
//! Hosts are read by `model::url` and `model::host` and nowhere else; what they refuse is a
//! connection to somewhere unknown, never none.

use super::Walker;
use super::state::State;
use super::tree::Filter;
use crate::model::access::{Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::host::Authority;
use crate::model::url::{Destination, Network, default_port};

impl Walker<'_> {
    pub(super) fn connect(&mut self, network: Network) {
        self.certain(Target::Connect(Destination::Network(network)));
    }

    pub(super) fn url(&mut self, text: &str, method: Option<&str>, state: &State) {
        let scheme = text.get(..7).filter(|start| start.eq_ignore_ascii_case("file://"));
        if let Some(rest) = scheme.and_then(|_| text.get(7..)) {
            return self.file_url(rest, state);
        }
        match Network::parse_url(&without_user(text)) {
            Ok(mut network) => {
                network.method = method.map(str::to_owned);
                self.connect(network);
            }
            Err(error) => self.unknown(Verb::Connect, Doubt::Other(error.to_string())),
        }
    }

    /// `file://[host]/path`: the file, whichever host is named.
    fn file_url(&mut self, rest: &str, state: &State) {
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(rest);
        // curl's own patterns, and what is written in another way.
        if path.contains(['{', '[', '%', '\\']) {
            return self.unknown(Verb::Read, Doubt::Glob(path.to_owned()));
        }
        let path = path.split(['?', '#']).next().unwrap_or_default();
        self.paths(path, state, &[Verb::Read], None);
    }

    /// `[scheme://][user@]host[:port][/path]`, or a Unix socket by its path.
    pub(super) fn address(&mut self, text: &str, state: &State) {
        if text.contains("://") {
            return self.url(text, None, state);
        }
        if text.starts_with('/') {
            for socket in self.targets(text, state, &[Verb::Connect]) {
                self.certain(Target::Connect(Destination::Unix(socket)));
            }
            return;
        }
        let host = text.split('/').next().unwrap_or_default();
        match Authority::parse(host.rsplit('@').next().unwrap_or_default()) {
            Ok(authority) => self.connect(Network::from_authority(authority)),
            Err(error) => self.unknown(Verb::Connect, Doubt::Other(error.to_string())),
        }
    }

    pub(super) fn web_address(&mut self, text: &str, method: Option<&str>, state: &State) {
        if text.contains("://") {
            self.url(text, method, state);
        } else {
            self.url(&format!("http://{text}"), method, state);
        }
    }

    pub(super) fn host(&mut self, text: &str) {
        if text.contains("://") {
            return match text.split_once('@') {
                Some((_, rest)) => self.ssh(rest.split('/').next().unwrap_or_default()),
                None => self.ssh(text.split("://").nth(1).unwrap_or_default()),
            };
        }
        self.ssh(text.rsplit('@').next().unwrap_or_default());
    }

    fn ssh(&mut self, host: &str) {
        match Authority::parse(host) {
            Ok(authority) => {
                let mut network = Network::from_authority(authority);
                network.scheme = Some("ssh".to_owned());
                network.port = network.port.or_else(|| default_port("ssh"));
                self.connect(network);
            }
            Err(error) => self.unknown(Verb::Connect, Doubt::Other(error.to_string())),
        }
    }

    pub(super) fn remote(&mut self, text: &str, state: &State, verb: Verb, tree: Option<&Filter>) {
        match host_before_path(text) {
            Some(host) => self.host(host),
            None if text.contains("://") => self.url(text, None, state),
            None => self.paths(text, state, &[verb], tree),
        }
    }

    /// A package to install: its registry's name for it, a URL (`git+https://h/x`,
    /// `x @ https://h/x`), or what lies here.
    pub(super) fn package(&mut self, text: &str, state: &State) {
        let text = text.split_once(" @ ").map_or(text, |(_, place)| place);
        if text.contains("://") {
            let scheme = text.split("://").next().unwrap_or_default();
            let start = scheme.rfind(['+', '@', '=']).map_or(0, |at| at + 1);
            return self.repository(text.get(start..).unwrap_or(text), state);
        }
        let text = ["file:", "link:", "portal:"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        let endings = [".whl", ".tar.gz", ".tgz", ".tar.bz2", ".zip", ".gem", ".deb", ".rpm"];
        if text.starts_with(['.', '/', '~']) || endings.iter().any(|ending| text.ends_with(ending))
        {
            // `.[test]` is the directory here, with an extra of it.
            let path = text.split_once('[').map_or(text, |(path, _)| path);
            self.paths(path, state, &[Verb::Read], None);
        }
    }

    /// A git repository. A bare name is a remote whose address the text does not tell.
    pub(super) fn repository(&mut self, text: &str, state: &State) {
        if text.contains("::") {
            let doubt = Doubt::Other("a git remote helper runs".to_owned());
            self.unknown(Verb::Exec, doubt.clone());
            self.unknown(Verb::Connect, doubt);
        } else if text.contains("://") {
            match text.split_once("://") {
                Some(("ssh", _)) => self.host(text),
                _ => self.url(text, None, state),
            }
        } else if let Some(host) = host_before_path(text) {
            self.host(host);
        } else if text.contains('/') || text.starts_with('.') {
            let filter = Filter::default();
            self.paths(text, state, &[Verb::Read], Some(&filter));
        }
    }
}

/// A URL without the name and password before its host. Two `@` are read in two ways, so that they
/// stay for the parser to refuse.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.split_at_checked(end) {
        Some((authority, path)) if authority.matches('@').count() == 1 => {
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        _ => text.to_owned(),
    }
}

/// The `[user@]host` of `host:path`.
pub(super) fn host_before_path(text: &str) -> Option<&str> {
    let (host, _) = text.split_once(':')?;
    (!host.is_empty() && !host.contains('/') && !text.contains("://")).then_some(host)
}
