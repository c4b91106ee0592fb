//! Codex's hooks, and the trust without which it skips them in silence.
//!
//! Codex has no switch that makes a failed hook block and no exec form: a shell starts the command.
//! A user's hook runs only if the user's `config.toml` holds its hash; the administrator's needs
//! none, and holds against the user's switches only if `[features] hooks` is pinned beside it. All
//! of it was seen on 0.169.

use super::entries::{self, Entry, Ours};
use super::json::{Node, Unfit, indent, member, same_but_for_blanks};
use super::{Hook, Note, toml as edit};
use crate::limits::{CODEX_SESSION_END_TIMEOUT, HOOK_TIMEOUT_MARGIN};
use crate::model::principal::Runtime;
use crate::plane::hook::events::{self, Event, Wire};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use toml::{Table, Value};

/// What our lines in the administrator's file begin and end with.
const BEGIN: &str = "# Written by `toolgate init`, which replaces all of it up to the end.\n";
const END: &str = "# The end of what `toolgate init` has written.\n";

/// One of our hooks, and where it stands among those of its event.
struct Placed {
    event: &'static Event,
    group: usize,
}

/// The user's `hooks.json` with ours in it, and the `config.toml` that trusts them. `path` is that
/// of `hooks.json`, as Codex will name it.
///
/// # Errors
/// If there is something that cannot be edited without a guess; says in which of the two.
pub fn user(
    hooks: &str,
    config: &str,
    hook: &Hook,
    path: &Path,
) -> Result<(String, String, Vec<Note>), (Of, Unfit)> {
    let mut notes = Vec::new();
    let (hooks, placed) = merge(hooks, hook, &mut notes).map_err(|why| (Of::Hooks, why))?;
    let trusted =
        trust(config, hook, path, &placed, &mut notes).map_err(|why| (Of::Config, why))?;
    Ok((hooks, trusted, notes))
}

/// Which of the user's two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// `hooks.json`
    Hooks,
    /// `config.toml`
    Config,
}

fn merge(before: &str, hook: &Hook, notes: &mut Vec<Note>) -> Result<(String, Vec<Placed>), Unfit> {
    let mut file = Node::read(if before.trim().is_empty() { "{}" } else { before })?;
    let members = file.members("the file")?;
    let ours = Ours { runtime: Runtime::Codex, binary: &hook.binary };
    let mut placed = Vec::new();
    if let Some(hooks) = member(members, "hooks", || Node::Object(Vec::new())) {
        let entries: Vec<Entry> = wired()
            .map(|event| Entry { event: event.name, matcher: None, handler: handler(hook, event) })
            .collect();
        entries::put(hooks, ours, &entries)?;
        let others = entries::others(hooks, ours, "PreToolUse");
        notes.extend(
            (others > 0).then(|| Note::info(format!("other hooks before tools: {others}"))),
        );
        placed.extend(wired().filter_map(|event| {
            Some(Placed { event, group: entries::position(hooks, ours, event.name)? })
        }));
    }
    let mut text = file.render(indent(before));
    if before.trim().is_empty() || before.ends_with('\n') {
        text.push('\n');
    }
    let same = same_but_for_blanks(before, &text);
    Ok((if same { before.to_owned() } else { text }, placed))
}

fn trust(
    config: &str,
    hook: &Hook,
    path: &Path,
    placed: &[Placed],
    notes: &mut Vec<Note>,
) -> Result<String, Unfit> {
    let mut text = config.to_owned();
    let syntax = |error: toml::de::Error| Unfit::Toml(error.message().to_owned());
    let table: Table = config.parse().map_err(syntax)?;
    let switch = |table: &Table, path: &[&str]| {
        let mut value = table.get(*path.first()?)?;
        for key in path.get(1..)? {
            value = value.get(*key)?;
        }
        value.as_bool()
    };
    if switch(&table, &["features", "hooks"]) == Some(false) {
        notes.push(Note::warning("`[features] hooks` was `false`: all your hooks run again"));
        text = edit::set(&text, &["features", "hooks"], &Value::from(true))?;
    }
    for Placed { event, group } in placed {
        let key = format!("{}:{}:{group}:0", path.display(), label(event.name));
        let state = ["hooks", "state", &key];
        let at = |last| [state[0], state[1], state[2], last];
        let hash = hash(&command(hook, event), timeout(hook, event), event.name);
        text = edit::set(&text, &at("trusted_hash"), &Value::from(hash))?;
        if switch(&table, &at("enabled")) == Some(false) {
            text = edit::set(&text, &at("enabled"), &Value::from(true))?;
        }
    }
    Ok(text)
}

/// The administrator's `requirements.toml` with ours in it.
///
/// # Errors
/// If there is something that cannot be edited without a guess.
pub fn managed(before: &str, hook: &Hook) -> Result<String, Unfit> {
    let mut text = edit::set(before, &["allow_managed_hooks_only"], &Value::from(true))?;
    text = edit::set(&text, &["features", "hooks"], &Value::from(true))?;
    let mut block = BEGIN.to_owned();
    for event in wired() {
        let (name, command) = (event.name, Value::from(command(hook, event)));
        let seconds = timeout(hook, event).as_secs();
        let _ = write!(
            block,
            "[[hooks.{name}]]\n[[hooks.{name}.hooks]]\ntype = \"command\"\ncommand = {command}\n\
             timeout = {seconds}\n"
        );
    }
    block.push_str(END);
    let new = match (text.find(BEGIN), text.find(END)) {
        (Some(from), Some(to)) if from < to => {
            let after = text.get(to + END.len()..).unwrap_or_default();
            format!("{}{block}{after}", text.get(..from).unwrap_or_default())
        }
        (None, None) => edit::append(&text, &block),
        _ => {
            let why = "one of the lines around what `toolgate init` had written is gone; take the \
                       rest of it out";
            return Err(Unfit::Other(why.to_owned()));
        }
    };
    match new.parse::<Table>() {
        Ok(_) => Ok(new),
        Err(error) => Err(Unfit::Toml(error.message().to_owned())),
    }
}

/// The user's `hooks.json` alone.
///
/// # Errors
/// None that anybody can cause: there is nothing to be edited.
pub fn alone(hook: &Hook) -> Result<String, Unfit> {
    merge("", hook, &mut Vec::new()).map(|(text, _)| text)
}

/// What these settings come to, in a few words.
#[must_use]
pub fn summary() -> String {
    format!("{} hooks", wired().count())
}

fn wired() -> impl Iterator<Item = &'static Event> {
    events::CODEX.iter().filter(|event| event.wire == Wire::Command)
}

fn handler(hook: &Hook, event: &Event) -> Node {
    Node::of([
        ("type", Node::Text("command".to_owned())),
        ("command", Node::Text(command(hook, event))),
        ("timeout", Node::Number(timeout(hook, event).as_secs())),
    ])
}

/// Codex gives the end of a session little time, whatever the file says, and hashes that.
fn is_short(event: &Event) -> bool {
    event.name == "SessionEnd"
}

fn timeout(hook: &Hook, event: &Event) -> Duration {
    match is_short(event) {
        true => CODEX_SESSION_END_TIMEOUT,
        false => hook.deadline + HOOK_TIMEOUT_MARGIN,
    }
}

/// The command as a shell reads it.
fn command(hook: &Hook, event: &Event) -> String {
    let mut hook = hook.clone();
    if is_short(event) {
        hook.deadline = hook.deadline.min(CODEX_SESSION_END_TIMEOUT / 2);
    }
    let words = std::iter::once(hook.binary.clone()).chain(hook.arguments(Runtime::Codex));
    words.map(|word| shell_word(&word)).collect::<Vec<_>>().join(" ")
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':');
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// What Codex compares with before it runs a hook: SHA-256 over the hook as it has normalised it.
fn hash(command: &str, timeout: Duration, event: &str) -> String {
    let hook = json!({
        "async": false, "command": command, "timeout": timeout.as_secs(), "type": "command",
    });
    // The map sorts its keys, as Codex does.
    let text = json!({ "event_name": label(event), "hooks": [hook] }).to_string();
    let mut hash = "sha256:".to_owned();
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// `PreToolUse` as Codex writes it in its state: `pre_tool_use`.
fn label(event: &str) -> String {
    let mut label = String::new();
    for c in event.chars() {
        if c.is_ascii_uppercase() && !label.is_empty() {
            label.push('_');
        }
        label.push(c.to_ascii_lowercase());
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_word_as_it_is() {
        assert_eq!(shell_word("/b/toolgate-1.2"), "/b/toolgate-1.2");
        assert_eq!(shell_word("/my b/$x"), "'/my b/$x'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(label("PreToolUse"), "pre_tool_use");
        assert_eq!(label("Stop"), "stop");
    }

    /// What `hooks/list` of the real app server (0.169) said of these very hooks.
    #[test]
    fn the_hash_is_the_one_that_codex_computes() {
        let hook = Hook {
            binary: "/usr/bin/toolgate".to_owned(),
            socket: "/run/my guard/é.sock".to_owned(),
            server_uid: 7,
            deadline: Duration::from_secs(20),
        };
        for (name, seen) in [
            ("PreToolUse", "1dcd3bab1731cbe08a6bf372fb414feb056ea1b249214f4872b1ca39ed8741c4"),
            ("SessionEnd", "b693a20b5ba10ccbd307762540af6bb2f0cb877c0f1af750709a02909d774483"),
            ("Stop", "be28296480ede7f0a2b40babb0052cf2e62023564a1539730361469eafe31d33"),
        ] {
            let event = wired().find(|event| event.name == name).unwrap();
            let hash = hash(&command(&hook, event), timeout(&hook, event), name);
            assert_eq!(hash, format!("sha256:{seen}"), "{name}");
        }
    }
}
