//! Whether what a call writes could make a runtime run something by itself.
//!
//! It is asked of the places where a runtime looks for extensions alone, by the floor that no
//! policy switches off (`policy/builtin.rs`): nothing else is read or looked through. What cannot
//! be seen is never taken for harmless.

use super::Place;
use super::extension::carried;
use crate::catalogue::tool::{Text, Tool};
use crate::limits::EXTENSION_BYTES_MAX;
use crate::model::access::{Access, Certainty, Command, Role, Target};
use crate::model::call::{Phase, ToolCall};
use crate::model::facts::Brought;
use crate::model::json::Json;
use crate::model::path::{AbsPath, PathTarget, Real};
use crate::world::FileKind;
use std::io::Read;

/// Programs that put no text of their own into a file that they name.
const BRINGS_NOTHING: &[&str] = &[
    "mkdir", "rmdir", "rm", "touch", "chmod", "ls", "cat", "head", "tail", "wc", "grep", "stat",
    "du", "pwd",
];
/// The same of git's subcommands.
const GIT_BRINGS_NOTHING: &[&str] = &["rm", "clean", "add", "commit", "status", "ls-files"];

/// What the files that the call writes may make a runtime run by itself.
pub(super) fn brought(
    call: &ToolCall,
    tool: Option<&Tool>,
    accesses: &[Access],
    place: &Place<'_>,
) -> Brought {
    let Some(tool) = tool.filter(|_| call.phase == Phase::Pre) else { return Brought::Unseen };
    match tool.text {
        None if tool.shell.is_empty() => Brought::Unseen,
        None => of_shell(call, tool, accesses),
        Some(text) => {
            let mut written = accesses.iter().filter_map(|access| match &access.target {
                Target::Write(path) if may_extend(path) => Some(path),
                _ => None,
            });
            match (written.next(), written.next()) {
                (Some(path), None) => of_text(text, &call.input, path, place),
                _ => Brought::Unseen,
            }
        }
    }
}

/// Directories are made and things are removed, and nothing else: then nothing comes in.
fn of_shell(call: &ToolCall, tool: &Tool, accesses: &[Access]) -> Brought {
    let given = |name: &String| call.input.get(name).and_then(Json::as_str);
    let redirects = tool.shell.iter().filter_map(given).any(redirects);
    let harmless = |access: &Access| match &access.target {
        Target::Exec(command) => {
            access.certainty == Certainty::Certain && (command.transparent || is_plain(command))
        }
        Target::Unknown { .. } => false,
        Target::Read(_) | Target::Write(_) | Target::Connect(_) | Target::Call(_) => true,
    };
    match !redirects && accesses.iter().all(harmless) {
        true => Brought::Nothing,
        false => Brought::Unseen,
    }
}

/// Whether the text could redirect an output into a file; each `>` counts, quoted or not.
fn redirects(text: &str) -> bool {
    text.split('>').skip(1).any(|to| {
        let to = to.trim_start_matches(' ');
        let rest = ["/dev/null", "&1", "&2"].iter().find_map(|nowhere| to.strip_prefix(nowhere));
        let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', ';', '\n', ')']);
        !rest.is_some_and(ends)
    })
}

fn is_plain(command: &Command) -> bool {
    let subcommand = || match command.args.first() {
        Some(arg) if arg.role == Role::Operand => arg.word.as_known(),
        Some(_) | None => None,
    };
    let harmless = match command.program.word.as_known() {
        Some("git") => subcommand().is_some_and(|name| GIT_BRINGS_NOTHING.contains(&name)),
        Some(name) => BRINGS_NOTHING.contains(&name),
        None => false,
    };
    harmless && command.doubts.is_empty() && command.program.file.is_none()
}

/// Whether it lies where an extension could.
fn may_extend(path: &PathTarget) -> bool {
    let real = match &path.real {
        Real::At(real) => Some(real),
        Real::Unknown(_) => None,
    };
    let mut lanes = [Some(&path.written), real].into_iter().flatten().chain(&path.hops);
    lanes.any(|lane| {
        let mut parts = lane.components();
        parts.any(|part| {
            [".claude", ".codex", ".claude-plugin"].iter().any(|one| part.eq_ignore_ascii_case(one))
        })
    })
}

/// The tool says what the file will hold, by itself or together with what it holds now.
fn of_text(text: Text, input: &Json, path: &PathTarget, place: &Place<'_>) -> Brought {
    let before = held(path, place);
    let Some(after) = after(text, input, before.as_deref()) else { return Brought::Unseen };
    let is_json = path.written.name().is_some_and(|name| name.to_lowercase().ends_with(".json"));
    let before = before.unwrap_or_default();
    match carried(&after, is_json).is_subset(&carried(&before, is_json)) {
        true => Brought::Nothing,
        false => Brought::Commands,
    }
}

/// What the file holds now, its line ends as the runtime reads them; nothing if that is not known.
fn held(path: &PathTarget, place: &Place<'_>) -> Option<String> {
    let Real::At(real) = &path.real else { return None };
    match place.world.resolve(real).kind {
        Ok(FileKind::Absent) => Some(String::new()),
        Ok(FileKind::File) => read(real, place),
        Ok(FileKind::Directory | FileKind::Link | FileKind::Other) | Err(_) => None,
    }
}

fn read(path: &AbsPath, place: &Place<'_>) -> Option<String> {
    let mut text = String::new();
    let file = place.world.open(path).ok()?;
    file.take(EXTENSION_BYTES_MAX + 1).read_to_string(&mut text).ok()?;
    let whole = u64::try_from(text.len()).is_ok_and(|bytes| bytes <= EXTENSION_BYTES_MAX);
    whole.then(|| text.replace("\r\n", "\n"))
}

/// What the file will hold.
fn after(text: Text, input: &Json, before: Option<&str>) -> Option<String> {
    match text {
        Text::Whole => input.get("content").and_then(Json::as_str).map(str::to_owned),
        Text::Edit => edited(before?.to_owned(), input),
        Text::Edits => match input.get("edits")? {
            Json::Array(edits) => edits.iter().try_fold(before?.to_owned(), edited),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
                None
            }
        },
    }
}

/// One edit, as the runtime makes it; nothing if it would not, or might make another.
fn edited(text: String, edit: &Json) -> Option<String> {
    let word = |name: &str| edit.get(name).and_then(Json::as_str);
    let (old, new) = (word("old_string")?, word("new_string")?);
    if old.is_empty() {
        return text.is_empty().then(|| new.to_owned());
    }
    let all = match edit.get("replace_all") {
        None => false,
        Some(all) => all.as_bool()?,
    };
    let found = text.matches(old).count();
    (found == 1 || (found > 1 && all)).then(|| text.replace(old, new))
}
