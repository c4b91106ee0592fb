//! Where the facts of one call are gathered.

use super::brought::brought;
use super::commands;
use super::narrow::Narrow;
use super::patch::{self, Step};
use super::paths;
use super::place::Place;
use super::repository;
use super::twins::Twins;
use crate::catalogue::tool::{Absent, Tool, tool};
use crate::limits::ACCESSES_MAX;
use crate::model::access::{Access, Target, Verb};
use crate::model::call::{Phase, ToolCall};
use crate::model::doubt::Doubt;
use crate::model::facts::Facts;
use crate::model::json::Json;
use crate::model::path::AbsPath;
use crate::model::session::Session;
use crate::model::url::{Destination, Network};
use crate::policy::rule::ToolRow;

/// Everything that `call` would do, or has done, seen from `place`; `taught` are the policy's
/// `[tool]` rows. The state of the session is the caller's to fill in.
#[must_use]
pub fn gather(call: ToolCall, taught: &[ToolRow], place: &Place<'_>) -> Facts {
    let twins = Twins::over(place.world, place.workspace);
    let place = &Place { world: &twins, ..*place };
    let known = tool(call.principal.runtime, call.tool.as_str());
    let rows: Vec<&ToolRow> = taught.iter().filter(|row| row.tool == call.tool).collect();
    let itself = Target::Call(call.tool.clone());
    let itself = match known.is_some() || !rows.is_empty() {
        true => Access::certain(itself),
        false => Access::possible(itself, Doubt::UnknownTool(call.tool.to_string())),
    };
    let mut gatherer = Gatherer { call: &call, tool: known, place, accesses: vec![itself] };
    if let Some(tool) = known {
        gatherer.tool(tool);
    }
    for row in rows {
        for (verb, argument) in &row.arguments {
            gatherer.argument(*verb, argument, None, None);
        }
    }
    let mut accesses = gatherer.accesses;
    paths::settle(&mut accesses);
    repository::settle(&mut accesses, call.cwd.as_ref(), place);
    Facts {
        brought: brought(&call, known, &accesses, place),
        described: known.is_some(),
        omittable: known.map(|tool| tool.omittable.as_slice()).unwrap_or_default(),
        exit: exit(&call),
        accesses,
        session: Session::default(),
        call,
    }
}

/// The exit status of what a call ran: 0 if it succeeded, else what the runtime tells of it
/// (policy language §11.21). A command in the background has not ended yet, whether the call put it
/// there or the runtime did.
fn exit(call: &ToolCall) -> Option<i64> {
    let Phase::Post { output, failed, .. } = &call.phase else { return None };
    let asked = |name: &str| call.input.get(name).and_then(Json::as_bool).unwrap_or_default();
    if asked("run_in_background") {
        return None;
    }
    let told = |name: &str| output.get(name);
    let interrupted = told("interrupted").and_then(Json::as_bool).unwrap_or_default();
    let left_running = told("backgroundTaskId").is_some_and(|id| *id != Json::Null);
    if interrupted || left_running {
        return None;
    }
    if !failed {
        return Some(0);
    }
    let told = output.as_str()?.trim_start().strip_prefix("Exit code ")?;
    told.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Arguments by which tools name paths.
const PATH_ARGUMENTS: &[&str] = &[
    "path",
    "paths",
    "file",
    "files",
    "filename",
    "file_path",
    "filePath",
    "filepath",
    "file_paths",
    "notebook_path",
    "directory",
    "dir",
    "target",
    "target_file",
    "destination",
    "source",
    "uri",
];

struct Gatherer<'a> {
    call: &'a ToolCall,
    tool: Option<&'static Tool>,
    place: &'a Place<'a>,
    accesses: Vec<Access>,
}

impl Gatherer<'_> {
    fn tool(&mut self, tool: &Tool) {
        for (name, value) in &tool.unjudged {
            let given = self.call.input.get(name).and_then(Json::as_str);
            if given.is_some_and(|given| given.eq_ignore_ascii_case(value)) {
                let reason = Doubt::Other(format!("with `{name} = {value}` it runs unseen"));
                for verb in [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect] {
                    self.accesses.push(Access::unknown(verb, reason.clone()));
                }
            }
        }
        let given = |name: &String| self.call.input.get(name).and_then(Json::as_str);
        let narrow = tool.narrowed.as_ref().and_then(given).and_then(Narrow::read);
        let tree = tool.tree.then(|| narrow.unwrap_or_else(Narrow::nothing_left_out));
        for (verb, name) in tool.arguments() {
            self.argument(verb, name, tool.optional.get(name).copied(), tree.as_ref());
        }
        for name in &tool.patch {
            self.patch(name);
        }
        self.strange_paths(tool);
    }

    /// A path in an argument that the tool is not known to have: another reader of the call may
    /// take it for the one that is meant.
    fn strange_paths(&mut self, tool: &Tool) {
        let known: Vec<(Verb, &str)> = tool.arguments().collect();
        let verbs = [Verb::Read, Verb::Write];
        let of_paths = |verb: &Verb| known.iter().any(|(known, _)| known == verb);
        let verbs: Vec<Verb> = verbs.into_iter().filter(of_paths).collect();
        if verbs.is_empty() {
            return;
        }
        for name in PATH_ARGUMENTS {
            let described = known.iter().any(|(_, known)| known == name)
                || tool.omittable.iter().any(|known| known == name);
            if !described && self.call.input.get(name).is_some() {
                for verb in &verbs {
                    let reason = Doubt::Argument((*name).to_owned());
                    self.accesses.push(Access::unknown(*verb, reason));
                }
            }
        }
    }

    /// An argument that is a patch.
    fn patch(&mut self, name: &str) {
        let Some(text) = self.call.input.get(name).and_then(Json::as_str) else {
            return self
                .accesses
                .push(Access::unknown(Verb::Write, Doubt::Argument(name.to_owned())));
        };
        for step in patch::read(text) {
            match step {
                Step::Path(verb, path) => self.access(verb, path, None),
                Step::Doubt(doubt) => self.accesses.push(Access::unknown(Verb::Write, doubt)),
            }
            // So many are refused unread.
            if self.accesses.len() > ACCESSES_MAX {
                return;
            }
        }
    }

    /// One argument, found by its dotted name.
    fn argument(&mut self, verb: Verb, name: &str, absent: Option<Absent>, tree: Option<&Narrow>) {
        let found = name.split('.').try_fold(&self.call.input, |value, key| value.get(key));
        match (found, absent) {
            (Some(Json::String(text)), _) => self.access(verb, text, tree),
            // A program with its arguments, which no shell reads.
            (Some(Json::Array(words)), _) if verb == Verb::Exec => {
                let words: Option<Vec<String>> =
                    words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
                match words {
                    Some(argv) => {
                        let cwd = self.directory();
                        commands::read_argv(&argv, cwd.as_ref(), self.place, &mut self.accesses);
                    }
                    None => {
                        let reason = Doubt::Argument(name.to_owned());
                        self.accesses.push(Access::unknown(verb, reason));
                    }
                }
            }
            (None | Some(Json::Null), Some(Absent::None)) => {}
            (None | Some(Json::Null), Some(Absent::Cwd)) => self.access(verb, ".", tree),
            _ => {
                self.accesses.push(Access::unknown(verb, Doubt::Argument(name.to_owned())));
            }
        }
    }

    fn access(&mut self, verb: Verb, text: &str, tree: Option<&Narrow>) {
        match verb {
            Verb::Read => self.path(text, tree, Target::Read, Verb::Read),
            Verb::Write => self.path(text, tree, Target::Write, Verb::Write),
            Verb::Exec => {
                let cwd = self.directory();
                commands::read(text, cwd.as_ref(), self.place, &mut self.accesses);
            }
            Verb::Connect => self.accesses.push(connect(text)),
            Verb::Call => {}
        }
    }

    /// Where a command runs: where the call says, if its tool lets it; else where the call is made.
    /// A place of the call's own choice is a place and no more: nothing is allowed because of it.
    fn directory(&self) -> Option<AbsPath> {
        let told = self.tool.and_then(|tool| tool.directory.as_deref());
        match told.and_then(|name| self.call.input.get(name)) {
            None | Some(Json::Null) => self.call.cwd.clone(),
            Some(told) => {
                let found = paths::target(told.as_str()?, self.call.cwd.as_ref(), self.place);
                found.ok().map(|target| target.written)
            }
        }
    }

    /// A tool takes a path as it stands; but a leading `~`, what looks like a variable of the
    /// environment, and a URL are judged in both readings, since it is not known which of the two
    /// the tool takes.
    fn path(
        &mut self,
        text: &str,
        tree: Option<&Narrow>,
        target: fn(crate::model::path::PathTarget) -> Target,
        verb: Verb,
    ) {
        let mut readings = vec![text.to_owned()];
        if let Some(rest) = text.strip_prefix('~') {
            match self.place.world.home() {
                Some(home) if rest.is_empty() || rest.starts_with('/') => {
                    readings.push(format!("{home}{rest}"));
                }
                Some(_) | None => {
                    self.accesses.push(Access::unknown(verb, Doubt::Expansion("tilde")));
                }
            }
        }
        let variable = ["$HOME", "${HOME}"].iter().find_map(|name| text.strip_prefix(name));
        if let (Some(rest), Some(home)) = (variable, self.place.world.home())
            && (rest.is_empty() || rest.starts_with('/'))
        {
            readings.push(format!("{home}{rest}"));
        }
        if let Some(rest) = of_file_url(text) {
            self.accesses.push(Access::unknown(verb, Doubt::Other("a URL is no path".to_owned())));
            readings.push(rest);
        }
        if text.starts_with("\\\\") {
            let reason = "it names another machine where `\\` separates names";
            self.accesses.push(Access::unknown(verb, Doubt::Other(reason.to_owned())));
        }
        if names_a_variable(text) {
            let variable = Doubt::Variable(text.replace('$', ""));
            self.accesses.push(Access::possible(
                Target::Unknown { verb, reason: variable.clone() },
                variable,
            ));
        }
        for reading in readings {
            let found = paths::target(&reading, self.call.cwd.as_ref(), self.place);
            self.accesses.push(match found {
                Ok(mut path) => {
                    if let Some(narrow) = tree {
                        path.extent = narrow.left_of(paths::below(&path, self.place));
                    }
                    Access::certain(target(path))
                }
                Err(doubt) => Access::unknown(verb, doubt),
            });
        }
    }
}

/// The path of a `file:` URL, its escapes read; nothing of any other text.
fn of_file_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    let path = match rest.strip_prefix("//") {
        Some(after) => after.get(after.find('/')?..)?,
        None => rest,
    };
    let mut bytes = Vec::new();
    let mut left = path.as_bytes();
    while let [first, others @ ..] = left {
        let escaped = || {
            let digits = str::from_utf8(others.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        match (first, escaped()) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                left = others.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                left = others;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether some shell or tool might put a value in place of a part: `$HOME`, `${x}`, or `$x` at the
/// start. A file of a router that is called `$id.tsx` names none.
fn names_a_variable(text: &str) -> bool {
    let of_environment = |rest: &str| {
        let name = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next();
        let name = name.unwrap_or_default();
        name.len() > 1 && !name.contains(|c: char| c.is_ascii_lowercase())
    };
    let mut after = text.match_indices('$').filter_map(|(at, _)| text.get(at + 1..));
    let starts = text.strip_prefix('$').is_some_and(|rest| rest.contains('/'));
    starts || after.any(|rest| rest.starts_with(['{', '(']) || of_environment(rest))
}

/// A URL as a tool takes it: fetched with GET where it is of the web.
fn connect(text: &str) -> Access {
    match Network::parse_url(text) {
        Ok(mut network) => {
            if matches!(network.scheme.as_deref(), Some("http" | "https")) {
                network.method = Some("GET".to_owned());
            }
            Access::certain(Target::Connect(Destination::Network(network)))
        }
        Err(error) => Access::unknown(Verb::Connect, Doubt::Other(error.to_string())),
    }
}
