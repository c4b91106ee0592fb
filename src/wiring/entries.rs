//! Our entries among a runtime's hooks: put in once, found again, and nobody else's touched.
//!
//! Claude Code and Codex keep their hooks in the same shape: events, each with groups of a matcher
//! and its handlers. An entry is ours if it runs this program's `hook` for this runtime, whatever
//! its options were, or asks the HTTP door with its token. What is already as it must be stays
//! where it is, so that a second run changes nothing.

use super::json::{Node, Unfit, member};
use crate::model::principal::Runtime;
use serde_json::Value;
use std::path::Path;

/// What the client sends as its bearer token, if the operator has said no other variable.
pub const TOKEN_VARIABLE: &str = "TOOLGATE_HOOK_TOKEN";
/// The name of the program, by which an entry of an earlier place of it is known.
const PROGRAM: &str = "toolgate";

/// One event and what is to be run for it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The event's name.
    pub(super) event: &'static str,
    /// Which tools; nothing where the event has none.
    pub(super) matcher: Option<&'static str>,
    /// What is run.
    pub(super) handler: Node,
}

impl Entry {
    fn group(&self) -> Node {
        let matcher = self.matcher.map(|matcher| ("matcher", Node::Text(matcher.to_owned())));
        let hooks = ("hooks", Node::Array(vec![self.handler.clone()]));
        Node::of(matcher.into_iter().chain([hooks]))
    }
}

/// How our entries are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    /// Whose hooks these are.
    pub(super) runtime: Runtime,
    /// The program that is being wired.
    pub(super) binary: &'a str,
}

/// Puts the entries into the value of `hooks`, in the place of our earlier ones.
pub(super) fn put(hooks: &mut Node, ours: Ours<'_>, wanted: &[Entry]) -> Result<(), Unfit> {
    let members = hooks.members("hooks")?;
    for entry in wanted {
        let name = format!("hooks.{}", entry.event);
        let Some(groups) = member(members, entry.event, || Node::Array(Vec::new())) else {
            continue;
        };
        let groups = groups.elements(&name)?;
        if let Some(at) = groups.iter().position(|group| !is_group(group)) {
            return Err(Unfit::Kind(format!("{name}[{at}]"), "matcher with a list of hooks"));
        }
        let group = entry.group();
        if holds_only(groups, ours, &group) {
            continue;
        }
        let at = remove(groups, ours)?.unwrap_or(groups.len());
        groups.insert(at.min(groups.len()), group);
    }
    // Events that are not registered any more; a list that is empty without us goes as well.
    let mut gone = Vec::new();
    for (event, groups) in members.iter_mut() {
        if wanted.iter().any(|entry| entry.event == event) {
            continue;
        }
        if !holds_any(groups, ours) {
            continue;
        }
        let groups = groups.elements(event)?;
        if remove(groups, ours)?.is_some() && groups.is_empty() {
            gone.push(event.clone());
        }
    }
    members.retain(|(event, _)| !gone.contains(event));
    Ok(())
}

/// Which of an event's groups is ours.
pub(super) fn position(hooks: &mut Node, ours: Ours<'_>, event: &str) -> Option<usize> {
    let members = hooks.members("hooks").ok()?;
    let (_, groups) = members.iter_mut().find(|(name, _)| name == event)?;
    groups.elements(event).ok()?.iter().position(|group| has_ours(group, ours))
}

/// How many handlers of others stand at an event.
pub(super) fn others(hooks: &mut Node, ours: Ours<'_>, event: &str) -> usize {
    let Ok(members) = hooks.members("hooks") else { return 0 };
    let groups = members.iter().find(|(name, _)| name == event).and_then(|(_, node)| node.value());
    let groups = groups.as_ref().and_then(Value::as_array);
    let handlers = groups.into_iter().flatten().filter_map(|group| group.get("hooks")?.as_array());
    handlers.flatten().filter(|handler| !is_ours(handler, ours)).count()
}

/// Whether a runtime can read it. One that it cannot takes ours with it: Claude Code then runs no
/// hook of the event, and without `PreToolUse` nothing that is in the file.
fn is_group(group: &Node) -> bool {
    let Some(group) = group.value() else { return false };
    let is_hook = |hook: &Value| hook.get("type").is_some_and(Value::is_string);
    let hooks = group.get("hooks").and_then(Value::as_array);
    hooks.is_some_and(|hooks| hooks.iter().all(is_hook))
        && group.get("matcher").is_none_or(Value::is_string)
}

/// Whether ours stands here once, exactly as it is wanted.
fn holds_only(groups: &[Node], ours: Ours<'_>, wanted: &Node) -> bool {
    let mut held = groups.iter().filter(|group| has_ours(group, ours));
    held.next().is_some_and(|group| group.value() == wanted.value()) && held.next().is_none()
}

/// Whether ours stands anywhere among the groups of an event, which need not be a list.
fn holds_any(groups: &Node, ours: Ours<'_>) -> bool {
    let value = groups.value();
    let groups = value.as_ref().and_then(Value::as_array);
    let handlers = groups.into_iter().flatten().filter_map(|group| group.get("hooks")?.as_array());
    handlers.flatten().any(|handler| is_ours(handler, ours))
}

fn has_ours(group: &Node, ours: Ours<'_>) -> bool {
    let value = group.value();
    let handlers = value.as_ref().and_then(|group| group.get("hooks")?.as_array());
    handlers.is_some_and(|handlers| handlers.iter().any(|handler| is_ours(handler, ours)))
}

/// Takes ours out of the groups; says where the first stood. A group that held nothing else goes.
fn remove(groups: &mut Vec<Node>, ours: Ours<'_>) -> Result<Option<usize>, Unfit> {
    let first = groups.iter().position(|group| has_ours(group, ours));
    let mut kept = Vec::new();
    for mut group in std::mem::take(groups) {
        if has_ours(&group, ours) {
            let members = group.members("a group of hooks")?;
            let handlers = members.iter_mut().find(|(name, _)| name == "hooks");
            if let Some((_, handlers)) = handlers {
                let handlers = handlers.elements("the hooks of a group")?;
                handlers.retain(|handler| {
                    handler.value().is_none_or(|handler| !is_ours(&handler, ours))
                });
                if handlers.is_empty() {
                    continue;
                }
            }
        }
        kept.push(group);
    }
    *groups = kept;
    Ok(first)
}

fn is_ours(handler: &Value, ours: Ours<'_>) -> bool {
    let texts = |key: &str| {
        let list = handler.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    if texts("allowedEnvVars").contains(&TOKEN_VARIABLE) {
        return true;
    }
    let Some(command) = handler.get("command").and_then(Value::as_str) else { return false };
    let is_program = |name: &str| {
        name == ours.binary || Path::new(name).file_name().is_some_and(|name| name == PROGRAM)
    };
    let arguments = ["hook", ours.runtime.as_str()];
    if handler.get("args").is_some() {
        return is_program(command) && texts("args").starts_with(&arguments);
    }
    // Written as one text for a shell.
    let (program, rest) = match command.strip_prefix(['\'', '"']).zip(command.chars().next()) {
        Some((rest, quote)) => rest.split_once(quote).unwrap_or_default(),
        None => command.split_once(' ').unwrap_or_default(),
    };
    is_program(program) && arguments.into_iter().eq(rest.split_whitespace().take(2))
}
