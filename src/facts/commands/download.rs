//! curl and wget: the method, the files that an option's text names, and where the answer is saved.

use super::Walker;
use super::program::each_directory;
use super::state::State;
use crate::catalogue::options::Reading;
use crate::catalogue::program::Kind;
use crate::facts::paths;
use crate::model::access::{Access, Role, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::AbsPath;
use crate::model::url::Destination;
use crate::model::word::Word;

/// Options whose value may name a file as `@file`.
const AT_FILE: [&str; 9] = [
    "-d",
    "--data-binary",
    "--data-urlencode",
    "--json",
    "-F",
    "-H",
    "-w",
    "--variable",
    "--url-query",
];

impl Walker<'_> {
    pub(super) fn curl(&mut self, reading: &Reading, state: &State) {
        let method = method_of(reading);
        for access in self.accesses.iter_mut().rev().take(reading.items.len() * 2) {
            if let Access { target: Target::Connect(Destination::Network(network)), .. } = access
                && network.method.is_none()
            {
                network.method.clone_from(&method);
            }
        }
        for item in &reading.items {
            let Role::Option { spellings, value: Some(value), .. } = &item.arg.role else {
                continue;
            };
            // It has patterns of its own.
            if spellings.iter().any(|s| s == "-T")
                && let Some(pattern) = value.as_known().filter(|text| text.contains(['{', '[']))
            {
                self.unknown(Verb::Read, Doubt::Glob(pattern.to_owned()));
            }
            if spellings.iter().any(|spelling| AT_FILE.contains(&spelling.as_str())) {
                self.at_file(value, spellings.iter().any(|s| s == "-F"), state);
            }
            // Without a `=` it is the file of cookies.
            if spellings.iter().any(|s| s == "-b")
                && value.values().is_some_and(|texts| texts.iter().all(|text| !text.contains('=')))
            {
                self.word(Kind::Read, value, state, None);
            }
            if spellings.iter().any(|s| {
                matches!(
                    s.as_str(),
                    "-x" | "--preproxy" | "--socks5" | "--connect-to" | "--resolve"
                )
            }) {
                let option = item.arg.word.to_string();
                let program = "curl".to_owned();
                self.unknown(Verb::Connect, Doubt::HazardousOption { program, option });
            }
            if spellings.iter().any(|s| s == "-K") {
                self.everything(&Doubt::HazardousOption {
                    program: "curl".to_owned(),
                    option: item.arg.word.to_string(),
                });
            }
        }
        if reading.has(&["-O".to_owned()]) {
            self.saves_by_name(reading, state);
        }
        let into = output_directory(reading, state);
        self.fetched(reading, into.as_ref().unwrap_or(state), &["-o".to_owned()]);
    }

    fn at_file(&mut self, value: &Word, form: bool, state: &State) {
        let Some(texts) = value.values() else {
            let reason = super::builtin::first_doubt(std::slice::from_ref(value));
            let quoted_plain = matches!(value, Word::Unknown(unknown)
                if !unknown.prefix.is_empty() && !unknown.prefix.contains('@'));
            if !quoted_plain {
                let target = Target::Unknown { verb: Verb::Read, reason: reason.clone() };
                self.push(Access::possible(target, reason));
            }
            return;
        };
        for text in texts {
            // A form's file names may be quoted, and more than one.
            if form && text.contains('@') && text.contains(['"', ',', '\\']) {
                self.unknown(Verb::Read, Doubt::Glob(text.clone()));
            }
            let path = match text.strip_prefix('@') {
                Some(path) => Some(path.to_owned()),
                None if form => text
                    .split_once('=')
                    .and_then(|(_, rest)| rest.strip_prefix(['@', '<']))
                    .map(|path| path.split(';').next().unwrap_or_default().to_owned()),
                None => text
                    .split_once('@')
                    .filter(|(name, _)| crate::shell::vars::is_name(name))
                    .map(|(_, path)| path.to_owned()),
            };
            if let Some(path) = path.filter(|path| path != "-") {
                for target in self.targets(&path, state, &[Verb::Read]) {
                    self.certain(Target::Read(target));
                }
            }
        }
    }

    /// The answer is saved under the last part of the URL.
    pub(super) fn saves_by_name(&mut self, reading: &Reading, state: &State) {
        for item in reading.items.iter().filter(|item| item.kind == Kind::WebAddress) {
            let word = match &item.arg.role {
                Role::Operand => &item.arg.word,
                Role::Option { value: Some(value), .. } => value,
                Role::Option { value: None, .. } | Role::EndOfOptions => continue,
            };
            let name = word.as_known().and_then(|url| {
                let path = url.split(['?', '#']).next()?;
                let path = path.split_once("://").map_or(path, |(_, rest)| rest);
                path.split_once('/').and_then(|(_, rest)| rest.rsplit('/').next())
            });
            let name = name.filter(|name| !name.is_empty()).unwrap_or("index.html").to_owned();
            let into = reading.items.iter().find_map(|item| match &item.arg.role {
                Role::Option { spellings, value: Some(value), .. }
                    if spellings.iter().any(|s| s == "-P" || s == "--output-dir") =>
                {
                    value.as_known().map(str::to_owned)
                }
                _ => None,
            });
            let name = into.map_or(name.clone(), |into| format!("{into}/{name}"));
            if word.as_known().is_none() {
                self.unknown(Verb::Write, super::builtin::first_doubt(std::slice::from_ref(word)));
            }
            for target in self.targets(&name, state, &[Verb::Write]) {
                self.remember(&target.written);
                self.certain(Target::Write(target));
            }
        }
    }

    /// Files that hold what this very command fetched.
    pub(super) fn fetched(&mut self, reading: &Reading, state: &State, options: &[String]) {
        for item in reading.items.iter().filter(|item| item.is_any(options)) {
            if let Role::Option { value: Some(Word::Known(text)), .. } = &item.arg.role {
                for directory in each_directory(state) {
                    if let Ok(target) = paths::target(text, directory.as_ref(), self.place) {
                        self.remember(&target.written);
                    }
                }
            }
        }
    }

    fn remember(&mut self, path: &crate::model::path::AbsPath) {
        let last = self.commands_since(0).pop();
        self.made.insert(path.clone());
        self.written.entry(path.clone()).or_default().extend(last);
    }
}

/// Where curl saves what `-o` names, if it is told.
pub(super) fn output_directory(reading: &Reading, state: &State) -> Option<State> {
    let told = reading.items.iter().rev().find(|item| item.is_any(&["--output-dir".to_owned()]))?;
    let Role::Option { value: Some(value), .. } = &told.arg.role else { return None };
    let mut into = State::at(None);
    let at = |directory: Option<&AbsPath>| match (value.as_known()?, directory) {
        (path, _) if path.starts_with('/') => AbsPath::parse(path).ok(),
        (path, directory) => directory?.join(path).ok(),
    };
    into.directories = each_directory(state).iter().map(|from| at(from.as_ref())).collect();
    Some(into)
}

fn method_of(reading: &Reading) -> Option<String> {
    let stated = reading.items.iter().find(|item| item.is_any(&["-X".to_owned()]));
    if let Some(item) = stated {
        let Role::Option { value: Some(value), .. } = &item.arg.role else { return None };
        return value.as_known().map(str::to_ascii_uppercase);
    }
    let any = |names: &[&str]| names.iter().any(|name| reading.has(&[(*name).to_owned()]));
    let method = if any(&["-I"]) {
        "HEAD"
    } else if any(&["-T"]) {
        "PUT"
    } else if any(&["-d", "--data-raw", "--data-binary", "--data-urlencode", "--json", "-F"])
        && !any(&["-G"])
    {
        "POST"
    } else {
        "GET"
    };
    Some(method.to_owned())
}
