//! What each plane can see of an access, and the patterns that ask for what none can.
//!
//! [`SEEN_BY`] is the one table of it. What a plane cannot see is a no for an allow there, and a
//! maybe for an ask or a deny (policy language §11.17).

use super::Subject;
use super::entries::{Entries, Entry, Pattern};
use super::overlap::word;
use crate::model::effect::Effect;
use crate::policy::diagnostic::Diagnostic;

/// A place that stops or lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plane {
    Hook,
    Mcp,
    Egress,
    /// The proxy where it reads what is encrypted.
    Interception,
    Launch,
}

/// What a pattern asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Path,
    Command,
    Tool,
    Output,
    Host,
    /// The method of a request, by the scheme that carries it.
    Method(Carrier),
    /// Its path.
    UrlPath(Carrier),
}

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    /// In the clear: `http`, `ws`.
    Clear,
    /// So that only who asks for it sees more than the host: `https` and all others.
    Sealed,
    /// With neither method nor path: `ssh`.
    Opaque,
}

/// By which planes each can be seen.
const SEEN_BY: &[(Asked, &[Plane])] = &[
    // A tool's arguments and the commands it runs; the kernel holds what a program opens by itself.
    (Asked::Path, &[Plane::Hook, Plane::Mcp, Plane::Launch]),
    (Asked::Command, &[Plane::Hook, Plane::Mcp]),
    (Asked::Tool, &[Plane::Hook, Plane::Mcp]),
    (Asked::Output, &[Plane::Hook, Plane::Mcp]),
    (Asked::Host, &[Plane::Hook, Plane::Mcp, Plane::Egress]),
    // Of WebFetch, curl and wget; of a request that the proxy forwards.
    (Asked::Method(Carrier::Clear), &[Plane::Hook, Plane::Egress]),
    (Asked::Method(Carrier::Sealed), &[Plane::Hook, Plane::Interception]),
    (Asked::Method(Carrier::Opaque), &[]),
    // Of every URL that a tool is given.
    (Asked::UrlPath(Carrier::Clear), &[Plane::Hook, Plane::Mcp, Plane::Egress]),
    (Asked::UrlPath(Carrier::Sealed), &[Plane::Hook, Plane::Mcp, Plane::Interception]),
    (Asked::UrlPath(Carrier::Opaque), &[]),
];

/// Builtins of the shell that are no access of their own (policy language §11.8): a rule on one
/// speaks only of the program of that name.
const BUILTINS: &[&str] = &[
    ":",
    "true",
    "false",
    "echo",
    "printf",
    "cd",
    "pwd",
    "pushd",
    "popd",
    "dirs",
    "test",
    "[",
    "set",
    "unset",
    "export",
    "local",
    "declare",
    "read",
    "wait",
    "shift",
    "return",
    "exit",
    "break",
    "continue",
    "type",
    "umask",
    "ulimit",
    "getopts",
    "let",
    "mapfile",
    "readarray",
    "jobs",
    "kill",
    "fg",
    "bg",
    "disown",
];

pub(super) fn lint(_: &Subject<'_>, entries: &Entries<'_>) -> Vec<Diagnostic> {
    entries.own().flat_map(|entry| [of_request(entry), of_builtin(entry)]).flatten().collect()
}

/// Which planes see the method or path that the entry asks for.
fn of_request(entry: &Entry<'_>) -> Option<Diagnostic> {
    let asked: Vec<Asked> = entry.patterns.iter().flat_map(|one| asked(&one.pattern)).collect();
    let first = asked.first()?;
    let seen: Vec<Plane> = planes(*first).to_vec();
    let by_all = |plane: &Plane| asked.iter().all(|asked| planes(*asked).contains(plane));
    let seen: Vec<&str> = seen.iter().filter(|plane| by_all(plane)).map(|p| p.as_str()).collect();
    let span = entry.at.span.clone();
    let elsewhere = match entry.effect {
        Effect::Allow => "no allow",
        Effect::Ask | Effect::Deny => "a maybe",
    };
    if seen.is_empty() {
        let message = format!("no plane can enforce this {}", word(entry.effect));
        let lint = Diagnostic::warning("P027", entry.file, span, message);
        return Some(
            lint.with_label("no method or path of such a connection is ever seen")
                .with_help("write the host and the port alone"),
        );
    }
    let message = format!("the method or path of this is seen by: {}", seen.join(", "));
    let note = Diagnostic::note("P043", entry.file, span, message);
    Some(note.with_help(format!("to a plane that cannot see it, it is {elsewhere}")))
}

/// An ask or deny of what the shell does by itself.
fn of_builtin(entry: &Entry<'_>) -> Option<Diagnostic> {
    if entry.effect == Effect::Allow {
        return None;
    }
    let openings = entry.patterns.iter().flat_map(|one| match &one.pattern {
        Pattern::Exec(pattern) => pattern.openings(),
        Pattern::Path(_) | Pattern::Connect(_) | Pattern::Call(_) => Vec::new(),
    });
    let mut builtins = openings.filter(|opening| BUILTINS.contains(&opening.program.as_str()));
    let program = builtins.next()?.program;
    let message = format!("no plane sees the shell's own `{program}`");
    let lint = Diagnostic::warning("P027", entry.file, entry.at.span.clone(), message);
    Some(lint.with_label(format!("speaks only of a program named `{program}`")).with_help(
        "a builtin is no command of its own: its redirections are judged by [read] and [write], \
         and where a `cd` leads shows in the paths behind it",
    ))
}

fn asked(pattern: &Pattern) -> Vec<Asked> {
    let Pattern::Connect(pattern) = pattern else { return Vec::new() };
    let Some(request) = pattern.request() else { return Vec::new() };
    let carrier = match request.scheme {
        Some("http" | "ws") => Carrier::Clear,
        Some("ssh") => Carrier::Opaque,
        Some(_) | None => Carrier::Sealed,
    };
    let method = request.has_method.then_some(Asked::Method(carrier));
    method.into_iter().chain(request.has_path.then_some(Asked::UrlPath(carrier))).collect()
}

fn planes(asked: Asked) -> &'static [Plane] {
    SEEN_BY.iter().find(|(known, _)| *known == asked).map_or(&[], |(_, planes)| *planes)
}

impl Plane {
    fn as_str(self) -> &'static str {
        match self {
            Plane::Hook => "hook",
            Plane::Mcp => "mcp",
            Plane::Egress => "egress",
            Plane::Interception => "egress with interception",
            Plane::Launch => "launch",
        }
    }
}
