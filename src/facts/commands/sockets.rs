//! Programs with a language of their own for whom they talk to: socat's addresses, HTTPie's items.

use super::Walker;
use super::state::{Input, State};
use crate::catalogue::options::Reading;
use crate::catalogue::program::Kind;
use crate::model::access::{Role, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::host::Authority;
use crate::model::url::Network;
use crate::model::word::Word;

impl Walker<'_> {
    /// `ssh -o ProxyCommand=...` runs that text.
    pub(super) fn ssh_settings(&mut self, reading: &Reading, state: &State) {
        for item in reading.items.iter().filter(|item| item.kind == Kind::Setting) {
            let Role::Option { value: Some(value), .. } = &item.arg.role else { continue };
            let Some((name, text)) = value.as_known().and_then(|text| text.split_once(['=', ' ']))
            else {
                continue;
            };
            let name = name.to_ascii_lowercase();
            if matches!(name.as_str(), "proxycommand" | "localcommand" | "knownhostscommand")
                && !text.eq_ignore_ascii_case("none")
            {
                self.hidden(|walker| {
                    walker.text(text, &mut state.clone(), &Input::default(), true);
                });
            }
        }
    }

    /// Both ends of a socat.
    pub(super) fn socat(&mut self, reading: &Reading, state: &State) {
        for word in operands(reading) {
            let Some(texts) = word.values() else {
                self.everything(&super::builtin::first_doubt(std::slice::from_ref(&word)));
                continue;
            };
            for text in texts {
                // `in!!out` is two addresses for the two directions.
                text.split("!!").for_each(|end| self.socat_end(end, state));
            }
        }
    }

    fn socat_end(&mut self, text: &str, state: &State) {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let plain = rest.split(',').next().unwrap_or_default();
        let name = name.to_ascii_uppercase();
        let name = name.split(',').next().unwrap_or_default();
        match name {
            "-" | "STDIN" | "STDOUT" | "STDIO" | "STDERR" | "PIPE" | "PTY" | "FD" | "ECHO" => {}
            _ if name.bytes().all(|b| b.is_ascii_digit()) => {}
            "EXEC" | "SYSTEM" | "SHELL" => self.hidden(|walker| {
                walker.text(rest, &mut state.clone(), &Input::default(), true);
                // What follows a comma may be its own options or the command's.
                if rest.contains(',') {
                    walker.text(plain, &mut state.clone(), &Input::default(), true);
                }
            }),
            "OPEN" | "GOPEN" | "FILE" => {
                self.paths(plain, state, &[Verb::Read, Verb::Write], None);
            }
            "CREATE" | "CREAT" => self.paths(plain, state, &[Verb::Write], None),
            _ if name.starts_with("UNIX") || name.starts_with("ABSTRACT") => {
                if name.contains("LISTEN") || name.contains("RECV") {
                    self.paths(plain, state, &[Verb::Write], None);
                } else {
                    for socket in self.targets(plain, state, &[Verb::Connect]) {
                        let target = crate::model::url::Destination::Unix(socket);
                        self.certain(Target::Connect(target));
                    }
                }
            }
            _ if name.contains("LISTEN") || name.contains("RECV") || name.ends_with("-L") => {}
            _ if name.starts_with(['/', '.']) => {
                let path = text.split(',').next().unwrap_or_default();
                self.paths(path, state, &[Verb::Read, Verb::Write], None);
            }
            _ if !plain.is_empty() => self.socket(plain),
            _ => {}
        }
    }

    fn socket(&mut self, address: &str) {
        // A proxy's address has the host behind it: `proxy:host:port`.
        let mut parts = address.rsplitn(2, ':');
        let (last, before) = (parts.next().unwrap_or_default(), parts.next());
        let host = before.map_or(address, |before| before);
        let port = before.and_then(|_| last.parse::<u16>().ok());
        match Authority::parse(host) {
            Ok(authority) => {
                let mut network = Network::from_authority(authority);
                network.port = port.or(network.port);
                self.connect(network);
            }
            Err(error) => self.unknown(Verb::Connect, Doubt::Other(error.to_string())),
        }
    }

    /// `http [METHOD] URL [ITEM...]`.
    pub(super) fn httpie(&mut self, base: &str, reading: &Reading, state: &State) {
        let words = operands(reading);
        let is_method = |word: &Word| {
            word.as_known().is_some_and(|text| text.bytes().all(|b| b.is_ascii_alphabetic()))
        };
        let is_item = |word: &Word| {
            word.as_known().is_some_and(|text| {
                !text.contains("://") && !text.starts_with(':') && text.contains(['=', '@'])
            })
        };
        let stated = words.len() > 1
            && words.first().is_some_and(is_method)
            && !words.get(1).is_some_and(is_item);
        let (method, rest) = if stated { words.split_at(1) } else { words.split_at(0) };
        let Some((address, items)) = rest.split_first() else { return };
        let sends = items.iter().any(|item| {
            item.as_known().is_none_or(|text| text.contains(['=', '@']) && !text.contains("=="))
        });
        let method = match method.first().and_then(Word::as_known) {
            Some(stated) => stated.to_ascii_uppercase(),
            None if sends => "POST".to_owned(),
            None => "GET".to_owned(),
        };
        let scheme = if base.ends_with('s') { "https" } else { "http" };
        match address.as_known() {
            Some(text) => {
                let text = text.strip_prefix("://").unwrap_or(text);
                let full = match text.strip_prefix(':') {
                    _ if text.contains("://") => text.to_owned(),
                    Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
                        format!("{scheme}://localhost:{rest}")
                    }
                    Some(rest) => format!("{scheme}://localhost{rest}"),
                    None => format!("{scheme}://{text}"),
                };
                self.url(&full, Some(&method), state);
            }
            None => {
                let reason = super::builtin::first_doubt(std::slice::from_ref(address));
                self.unknown(Verb::Connect, reason);
            }
        }
        for item in items {
            self.word(Kind::AtFile, item, state, None);
            // `name@file` uploads it; an address in a value has an `=` before its `@`.
            let named = item.as_known().and_then(|text| text.split_once('@'));
            if let Some((name, path)) = named.filter(|(name, _)| !name.contains(['=', ':'])) {
                let path = path.split(';').next().unwrap_or_default();
                if !name.is_empty() {
                    self.paths(path, state, &[Verb::Read], None);
                }
            }
        }
    }
}

fn operands(reading: &Reading) -> Vec<Word> {
    let operands = reading.items.iter().filter(|item| item.arg.role == Role::Operand);
    operands.map(|item| item.arg.word.clone()).collect()
}
