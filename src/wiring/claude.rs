//! Claude Code's settings, so that they hold: what is written there and why.
//!
//! All of it was measured on the real client. A command hook is in the exec form, by an absolute
//! path and with everything as an argument, since the project's `env` block reaches the hook's
//! environment. What gates has `onFailure: "block"`; what only tells has `continue`, since a
//! blocked `Stop` would force another turn. `disableAllHooks` is `false` in so many words: where
//! these settings are given with `--settings`, a project's `true` is void by that alone.

use super::entries::{self, Entry, Ours, TOKEN_VARIABLE};
use super::json::{Node, Unfit, indent, member, same_but_for_blanks};
use super::{Hook, Note};
use crate::limits::HOOK_TIMEOUT_MARGIN;
use crate::model::principal::Runtime;
use crate::plane::hook::events::{self, Event, Role, Wire};

/// What is wired, and how far the settings may go.
#[derive(Debug, Clone)]
pub struct Claude {
    /// The hook client.
    pub hook: Hook,
    /// Where the events that come too often for a process are sent; nothing: nowhere.
    pub http: Option<String>,
    /// Whether these are an administrator's settings, which may say more.
    pub managed: Option<Managed>,
    /// Settings files and directories of them that lie where no rule would find them by name.
    pub elsewhere: Vec<String>,
}

/// What only managed settings can say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Managed {
    /// Permission rules of others do not count.
    pub permission_rules_only: bool,
    /// Nobody can switch the permission rules off.
    pub no_bypass: bool,
}

/// No edit of the settings by the agent's own tools, wherever they lie. A second line: the floor
/// of the policy holds them back too, and better, but not while the sidecar is wired wrongly.
/// Commands, skills, agents and `CLAUDE.md` are honest work and stay writable.
const DENIED: &[&str] = &[
    "Edit(//**/.claude/settings*.json)",
    "Edit(//**/*.json.toolgate-*)",
    "Edit(//**/.claude/remote-settings.json)",
    "Edit(//etc/claude-code/**)",
];

/// Events whose groups are chosen by the tool's name. Elsewhere a matcher means other things.
const OF_TOOLS: &[&str] =
    &["PreToolUse", "PermissionRequest", "PostToolUse", "PostToolUseFailure", "PermissionDenied"];

/// The settings with ours in them; the very same text if nothing was missing.
///
/// # Errors
/// If there is something that cannot be edited without a guess.
pub fn merge(before: &str, wiring: &Claude) -> Result<(String, Vec<Note>), Unfit> {
    let mut settings = Node::read(if before.trim().is_empty() { "{}" } else { before })?;
    let mut notes = Vec::new();
    let members = settings.members("the file")?;
    if let Some(switch) = member(members, "disableAllHooks", || Node::Bool(false)) {
        if switch.value() == Some(true.into()) {
            notes.push(Note::warning("`disableAllHooks` was `true`: your own hooks run again"));
        }
        *switch = Node::Bool(false);
    }
    if wiring.managed.is_some() {
        for key in ["allowManagedHooksOnly", "disableSkillShellExecution"] {
            set(members, key, Node::Bool(true));
        }
    }
    if wiring.managed.is_some_and(|managed| managed.permission_rules_only) {
        set(members, "allowManagedPermissionRulesOnly", Node::Bool(true));
    }
    let ours = Ours { runtime: Runtime::Claude, binary: &wiring.hook.binary };
    if let Some(hooks) = member(members, "hooks", || Node::Object(Vec::new())) {
        entries::put(hooks, ours, &entries(wiring))?;
        notes.extend(beside(entries::others(hooks, ours, "PreToolUse")));
    }
    if let Some(permissions) = member(members, "permissions", || Node::Object(Vec::new())) {
        let permissions = permissions.members("permissions")?;
        deny(permissions, wiring, &mut notes)?;
        if wiring.managed.is_some_and(|managed| managed.no_bypass) {
            set(permissions, "disableBypassPermissionsMode", Node::Text("disable".to_owned()));
        }
    }
    let mut text = settings.render(indent(before));
    if before.trim().is_empty() || before.ends_with('\n') {
        text.push('\n');
    }
    let same = same_but_for_blanks(before, &text);
    Ok((if same { before.to_owned() } else { text }, notes))
}

fn set(members: &mut Vec<(String, Node)>, key: &str, value: Node) {
    if let Some(place) = member(members, key, || value.clone()) {
        *place = value;
    }
}

/// The settings alone, as for `claude --settings` or the Agent SDK.
///
/// # Errors
/// None that anybody can cause: there is nothing to be edited.
pub fn alone(wiring: &Claude) -> Result<String, Unfit> {
    merge("", wiring).map(|(text, _)| text)
}

/// What these settings come to, in a few words.
#[must_use]
pub fn summary(wiring: &Claude) -> String {
    let elsewhere = wiring.elsewhere.iter().filter(|path| can_be_named(path)).count();
    format!("{} hooks, {} deny rules", entries(wiring).len(), DENIED.len() + elsewhere)
}

fn entries(wiring: &Claude) -> Vec<Entry> {
    let wired = events::CLAUDE.iter().filter_map(|event| {
        let handler = match (event.wire, &wiring.http) {
            (Wire::Command, _) => command(&wiring.hook, event),
            (Wire::HttpOnRequest, Some(url)) => http(url),
            (Wire::HttpOnRequest, None) | (Wire::Never, _) => return None,
        };
        let matcher = OF_TOOLS.contains(&event.name).then_some("*");
        Some(Entry { event: event.name, matcher, handler })
    });
    wired.collect()
}

fn command(hook: &Hook, event: &Event) -> Node {
    let text = |text: &str| Node::Text(text.to_owned());
    let arguments = hook.arguments(Runtime::Claude);
    Node::of([
        ("type", text("command")),
        ("command", text(&hook.binary)),
        ("args", Node::texts(arguments.iter().map(String::as_str))),
        ("timeout", Node::Number((hook.deadline + HOOK_TIMEOUT_MARGIN).as_secs())),
        ("onFailure", text(on_failure(event.role))),
    ])
}

/// What the runtime does if the client cannot even be started, or is killed.
fn on_failure(role: Role) -> &'static str {
    match role {
        Role::Gates | Role::Returns => "block",
        Role::Tells => "continue",
    }
}

fn http(url: &str) -> Node {
    let bearer = format!("Bearer ${TOKEN_VARIABLE}");
    Node::of([
        ("type", Node::Text("http".to_owned())),
        ("url", Node::Text(url.to_owned())),
        ("headers", Node::of([("Authorization", Node::Text(bearer))])),
        ("allowedEnvVars", Node::texts([TOKEN_VARIABLE])),
        ("timeout", Node::Number(HOOK_TIMEOUT_MARGIN.as_secs())),
        ("onFailure", Node::Text(on_failure(Role::Tells).to_owned())),
    ])
}

/// Adds the rules that are missing to the end of the list.
fn deny(
    permissions: &mut Vec<(String, Node)>,
    wiring: &Claude,
    notes: &mut Vec<Note>,
) -> Result<(), Unfit> {
    let mut wanted: Vec<String> = DENIED.iter().map(|&rule| rule.to_owned()).collect();
    for path in &wiring.elsewhere {
        if !can_be_named(path) {
            notes.push(Note::warning(format!("no permission rule can name `{path}`")));
            continue;
        }
        wanted.push(format!("Edit(/{path})"));
    }
    let Some(rules) = member(permissions, "deny", || Node::Array(Vec::new())) else {
        return Ok(());
    };
    let rules = rules.elements("permissions.deny")?;
    for rule in wanted {
        let there = |node: &Node| node.value().is_some_and(|value| value == rule.as_str());
        if !rules.iter().any(there) {
            rules.push(Node::Text(rule));
        }
    }
    Ok(())
}

/// The rules have no escapes that were seen to work.
fn can_be_named(path: &str) -> bool {
    !path.contains(['*', '?', '[', ']', '{', '}', '(', ')', '!', '\\', '#'])
}

fn beside(others: usize) -> Option<Note> {
    let hooks = match others {
        0 => return None,
        1 => "1 other hook stands".to_owned(),
        some => format!("{some} other hooks stand"),
    };
    Some(Note::warning(format!(
        "{hooks} before tools: what it rewrites runs without having been judged, and is found only \
         afterwards, in the log"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::time::Duration;

    fn settings(http: Option<&str>) -> Value {
        let hook = Hook {
            binary: "/b/toolgate".to_owned(),
            socket: "/s".to_owned(),
            server_uid: 7,
            deadline: Duration::from_millis(1_500),
        };
        let http = http.map(str::to_owned);
        let text = alone(&Claude { hook, http, managed: None, elsewhere: vec![] }).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// What the table says of each event is what the settings hold.
    #[test]
    fn each_event_is_registered_as_the_table_says() {
        for http in [None, Some("http://127.0.0.1:1/hook")] {
            let settings = settings(http);
            for event in events::CLAUDE {
                let handler = &settings["hooks"][event.name][0]["hooks"][0];
                let kind = match (event.wire, http) {
                    (Wire::Command, _) => Value::from("command"),
                    (Wire::HttpOnRequest, Some(_)) => Value::from("http"),
                    _ => Value::Null,
                };
                assert_eq!(handler["type"], kind, "{}", event.name);
                let blocks = handler["onFailure"] == "block";
                assert_eq!(blocks, event.role != Role::Tells, "{}", event.name);
            }
        }
    }

    /// The client must have given up, with a denial, before the runtime kills it.
    #[test]
    fn the_runtime_is_more_patient_than_the_client() {
        let hook = &settings(None)["hooks"]["PreToolUse"][0]["hooks"][0];
        let args = ["hook", "claude", "--socket", "/s", "--server-uid", "7", "--deadline", "1500"];
        assert_eq!(hook["args"], serde_json::json!(args));
        assert!(hook["timeout"].as_f64().unwrap() > 1.5 + 5.0);
    }
}
