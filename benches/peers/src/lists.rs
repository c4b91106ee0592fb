//! The rules laid out as lists, and what of a request is looked up in them.
//!
//! This is an index made by hand, outside of the engine that is measured with it: the author of
//! the policy gives up writing rules, and the application splits each path, host and command into
//! all that a list may hold of it. The splitting is not timed. It is the best that we know of for
//! engines without an index of their own.

use crate::workload::{Names, Request, Rule, Verb, environment};

/// The lists: name, the verb whose requests are looked up in it, and whether what it holds is
/// denied.
pub const LISTS: [(&str, Verb, bool); 6] = [
    ("tools", Verb::Call, false),
    ("directories", Verb::Read, false),
    ("extensions", Verb::Read, true),
    ("environments", Verb::Read, true),
    ("hosts", Verb::Connect, false),
    ("commands", Verb::Exec, false),
];

/// The word for a verb in policies and requests.
pub fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Call => "call",
        Verb::Read => "read",
        Verb::Connect => "connect",
        Verb::Exec => "exec",
    }
}

/// In which list a rule stands, and as what.
pub fn entry(rule: &Rule) -> (&'static str, String) {
    match &rule.names {
        Names::Tool(name) => ("tools", name.clone()),
        Names::Below(directory) => ("directories", directory.clone()),
        Names::Extension(extension) => ("extensions", extension.clone()),
        Names::Environment(name) => ("environments", name.clone()),
        Names::Host(name) => ("hosts", name.clone()),
        Names::Command(program, word) => ("commands", format!("{program} {word}")),
    }
}

/// All of a request that this list may hold.
pub fn candidates(request: &Request, list: &str) -> Vec<String> {
    let target = request.target.as_str();
    let texts: Vec<&str> = match list {
        "tools" => vec![target],
        // Every directory above it, with its `/`.
        "directories" => {
            target.match_indices('/').filter_map(|(at, _)| target.get(..=at)).collect()
        }
        "extensions" => {
            target.rsplit_once('.').map(|(_, extension)| extension).into_iter().collect()
        }
        "environments" => environment(target).into_iter().collect(),
        // Every name above it.
        "hosts" => target.match_indices('.').filter_map(|(at, _)| target.get(at + 1..)).collect(),
        // The program and its first word.
        _ => {
            let second = target.match_indices(' ').nth(1).map(|(at, _)| at);
            second.and_then(|at| target.get(..at)).into_iter().collect()
        }
    };
    texts.into_iter().map(str::to_owned).collect()
}
