//! Claude Code's settings files as they lie there, and the hooks in them.
//!
//! What decides is read, not what should be there: the user's, the project's two, those given by
//! `--settings`, and the managed ones, in the order in which a later one stands above.

use crate::limits::DOCTOR_SETTINGS_BYTES_MAX;
use crate::model::json::Json;
use crate::plane::hook::client;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Whose a settings file is; a later one stands above an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::doctor) enum Scope {
    User,
    Project,
    Local,
    Flag,
    Managed,
}

impl Scope {
    pub(in crate::doctor) fn as_str(self) -> &'static str {
        match self {
            Scope::User => "user",
            Scope::Project => "project",
            Scope::Local => "local",
            Scope::Flag => "--settings",
            Scope::Managed => "managed",
        }
    }
}

/// Where the settings lie.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Places {
    /// The user's directory.
    pub(in crate::doctor) user: PathBuf,
    /// The project's root.
    pub(in crate::doctor) workspace: PathBuf,
    /// The file given by `--settings`.
    pub(in crate::doctor) flag: Option<PathBuf>,
    /// The machine's.
    pub(in crate::doctor) managed: PathBuf,
}

/// A settings file that is there.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct File {
    pub(in crate::doctor) scope: Scope,
    pub(in crate::doctor) path: PathBuf,
    /// What it says, or why that cannot be read.
    pub(in crate::doctor) content: Result<Json, String>,
}

/// Every settings file that is there.
pub(in crate::doctor) fn read(places: &Places) -> Vec<File> {
    let project = places.workspace.join(".claude");
    let mut paths = vec![
        (Scope::User, places.user.join("settings.json")),
        (Scope::Project, project.join("settings.json")),
        (Scope::Local, project.join("settings.local.json")),
    ];
    paths.extend(places.flag.iter().map(|path| (Scope::Flag, path.clone())));
    paths.push((Scope::Managed, places.managed.join("managed-settings.json")));
    let more = std::fs::read_dir(places.managed.join("managed-settings.d"));
    let mut more: Vec<PathBuf> =
        more.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    more.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    more.sort();
    paths.extend(more.into_iter().map(|path| (Scope::Managed, path)));
    let file = |(scope, path): (Scope, PathBuf)| {
        // Only what is not there counts as such; a file that was named must be.
        let missing = path
            .symlink_metadata()
            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        (!missing || scope == Scope::Flag).then(|| File { scope, content: content(&path), path })
    };
    paths.into_iter().filter_map(file).collect()
}

fn content(path: &Path) -> Result<Json, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(DOCTOR_SETTINGS_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > DOCTOR_SETTINGS_BYTES_MAX {
        return Err("it is too large for settings".to_owned());
    }
    let value: Json = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("it is no JSON object".to_owned()) }
}

/// One hook of a settings file.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Hook {
    pub(in crate::doctor) scope: Scope,
    pub(in crate::doctor) file: PathBuf,
    pub(in crate::doctor) event: String,
    /// Which tools it is for; nothing is every one.
    pub(in crate::doctor) matcher: Option<String>,
    /// The handler as it stands there.
    pub(in crate::doctor) handler: Json,
}

impl Hook {
    fn text(&self, key: &str) -> Option<&str> {
        self.handler.get(key).and_then(Json::as_str)
    }

    /// Its program, or in the shell form its whole text.
    pub(in crate::doctor) fn command(&self) -> &str {
        self.text("command").unwrap_or_default()
    }

    /// Its arguments, if it has the exec form.
    pub(in crate::doctor) fn arguments(&self) -> Option<Vec<String>> {
        let all = self.handler.get("args")?.as_array()?;
        all.iter().map(|word| word.as_str().map(str::to_owned)).collect()
    }

    /// Whether it starts toolgate's hook client, in whatever form.
    pub(in crate::doctor) fn is_ours(&self) -> bool {
        is_ours(&self.handler)
    }

    /// Where it sends events, if that is toolgate's listener.
    pub(in crate::doctor) fn http(&self) -> Option<&str> {
        let is_http = self.text("type") == Some("http");
        self.text("url").filter(|url| is_http && url.contains("/v1/hook/claude"))
    }

    /// Whether every tool comes to it.
    pub(in crate::doctor) fn is_for_all(&self) -> bool {
        matches!(self.matcher.as_deref(), None | Some("" | "*" | ".*"))
            && self.handler.get("if").is_none()
    }

    /// The words after `toolgate`, in the shell form as far as blanks tell them apart.
    fn words(&self) -> Vec<String> {
        words(&self.handler)
    }

    /// What the hook client is told, as it reads that itself.
    pub(in crate::doctor) fn told(&self) -> Result<client::Settings, String> {
        client::parse_args(self.words().get(1..).unwrap_or_default())
    }

    /// Where it stands, for a message.
    pub(in crate::doctor) fn place(&self) -> String {
        format!("{} in `{}`", self.event, self.file.display())
    }
}

/// The words of a hook of ours, from `hook` on.
fn words(handler: &Json) -> Vec<String> {
    let command = handler.get("command").and_then(Json::as_str).unwrap_or_default();
    match handler.get("args").and_then(Json::as_array) {
        Some(words) => words.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        None => command.split_whitespace().skip(1).map(str::to_owned).collect(),
    }
}

fn is_ours(handler: &Json) -> bool {
    let is_command = handler.get("type").and_then(Json::as_str) == Some("command");
    let command = handler.get("command").and_then(Json::as_str).unwrap_or_default();
    let program = match handler.get("args") {
        Some(_) => command,
        None => command.split_whitespace().next().unwrap_or_default(),
    };
    let name = program.rsplit('/').next().unwrap_or_default().trim_matches(['"', '\'']);
    is_command
        && name.starts_with("toolgate")
        && words(handler).first().is_some_and(|w| w == "hook")
}

/// Every hook of every file, as far as a file can be read.
pub(in crate::doctor) fn hooks(files: &[File]) -> Vec<Hook> {
    let mut found = Vec::new();
    for file in files {
        let Ok(content) = &file.content else { continue };
        let events = content.get("hooks").and_then(Json::as_object);
        for (event, groups) in events.into_iter().flatten() {
            for group in groups.as_array().into_iter().flatten() {
                let matcher = group.get("matcher").and_then(Json::as_str).map(str::to_owned);
                for handler in group.get("hooks").and_then(Json::as_array).into_iter().flatten() {
                    found.push(Hook {
                        scope: file.scope,
                        file: file.path.clone(),
                        event: event.clone(),
                        matcher: matcher.clone(),
                        handler: handler.clone(),
                    });
                }
            }
        }
    }
    found
}

/// Keys that run a program or fetch a credential of the user's, which no check may use.
const HELPERS: &[&str] = &[
    "apiKeyHelper",
    "awsAuthRefresh",
    "awsCredentialExport",
    "gcpAuthRefresh",
    "otelHeadersHelper",
    "proxyAuthHelper",
    "forceLoginMethod",
    "forceLoginOrgUUID",
    "statusLine",
];

/// Whether a variable of an `env` block says whom to call, with what, or where things lie.
fn leads_away(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let begins = [
        "ANTHROPIC_",
        "CLAUDE_CODE_USE_",
        "CLAUDE_CODE_OAUTH",
        "CLAUDE_CODE_API",
        "CLAUDE_CONFIG",
        "CLAUDE_CODE_SKIP_",
        "CLAUDE_CODE_ENABLE_TELEMETRY",
        "AWS_",
        "GOOGLE_",
        "VERTEX_",
        "CLOUD_ML_",
        "AZURE_",
        "OTEL_",
        "BEDROCK_",
    ];
    begins.iter().any(|prefix| name.starts_with(prefix))
        || name.ends_with("_PROXY")
        || matches!(name.as_str(), "HOME" | "TMPDIR" | "CLAUDE_CODE_TMPDIR" | "IS_SANDBOX")
}

/// Variables of the `env` blocks that are left out of a play.
pub(in crate::doctor) fn left_out(files: &[File]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for content in files.iter().filter_map(|file| file.content.as_ref().ok()) {
        let env = content.get("env").and_then(Json::as_object);
        names.extend(env.into_iter().flatten().map(|(n, _)| n.clone()).filter(|n| leads_away(n)));
        names
            .extend(HELPERS.iter().filter(|k| content.get(**k).is_some()).map(|k| (*k).to_owned()));
    }
    names.sort();
    names.dedup();
    names
}

/// The settings for the question whether they can be read: without what would fetch something for
/// the client or give it an account, as far as its form is right.
pub(in crate::doctor) fn for_asking(content: &Json) -> Json {
    let mut content = content.clone();
    let Some(keys) = content.as_object_mut() else { return content };
    keys.retain(|name, value| !(value.is_string() && HELPERS.contains(&name.as_str())));
    if let Some(env) = keys.get_mut("env").and_then(Json::as_object_mut) {
        env.retain(|name, value| !(value.is_string() && leads_away(name)));
    }
    content
}

/// The settings for a play: the same but for the socket of our hooks, the owner that is expected
/// there, and all that would lead the client to anyone but the scripted model.
pub(in crate::doctor) fn for_play(content: &Json, socket: &str, uid: u32) -> Json {
    let mut content = content.clone();
    let Some(keys) = content.as_object_mut() else { return content };
    for helper in HELPERS {
        keys.remove(*helper);
    }
    if let Some(env) = keys.get_mut("env").and_then(Json::as_object_mut) {
        env.retain(|name, _| !leads_away(name));
    }
    let groups = keys.get_mut("hooks").and_then(Json::as_object_mut).into_iter();
    let groups = groups.flat_map(|events| events.iter_mut().map(|(_, groups)| groups));
    for group in groups.filter_map(Json::as_array_mut).flatten() {
        let handlers = group.get_mut("hooks").and_then(Json::as_array_mut);
        for handler in handlers.into_iter().flatten().filter(|handler| is_ours(handler)) {
            lead_to(handler, socket, uid);
        }
    }
    content
}

/// Replaces where a hook of ours asks, in the form that it has.
fn lead_to(handler: &mut Json, socket: &str, uid: u32) {
    let mut all = words(handler);
    let mut set = |name: &str, value: String, always: bool| {
        let at = all.iter().position(|word| word == name);
        match at.and_then(|at| all.get_mut(at + 1)) {
            Some(old) => *old = value,
            None if always && at.is_none() => all.extend([name.to_owned(), value]),
            None => {}
        }
    };
    set("--socket", socket.to_owned(), true);
    set("--server-uid", uid.to_string(), false);
    let Some(fields) = handler.as_object_mut() else { return };
    if fields.contains_key("args") {
        fields.insert("args".to_owned(), all.into());
    } else if let Some(Json::String(command)) = fields.get_mut("command") {
        let program = command.split_whitespace().next().unwrap_or_default().to_owned();
        *command = std::iter::once(program).chain(all).collect::<Vec<_>>().join(" ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_socket_of_our_hooks_changes() {
        let ours = |args: &[&str]| {
            let mut hook = json!({ "type": "command", "command": "/o/toolgate", "timeout": 30 });
            hook["args"] = json!(args);
            hook
        };
        let other = json!({ "type": "command", "command": "/o/other --socket /x" });
        let shell = json!({ "type": "command", "command": "toolgate hook claude --deadline 5" });
        let led = json!({
            "type": "command",
            "command": "toolgate hook claude --deadline 5 --socket /new",
        });
        let before = json!({
            "apiKeyHelper": "/bin/key",
            "env": { "HTTPS_PROXY": "x", "ANTHROPIC_BASE_URL": "y", "LD_PRELOAD": "z" },
            "hooks": { "PreToolUse": [{ "matcher": "*", "hooks": [
                ours(&["hook", "claude", "--socket", "/old", "--server-uid", "7"]), other, shell,
            ]}]},
        });
        let after = json!({
            "env": { "LD_PRELOAD": "z" },
            "hooks": { "PreToolUse": [{ "matcher": "*", "hooks": [
                ours(&["hook", "claude", "--socket", "/new", "--server-uid", "9"]), other, led,
            ]}]},
        });
        assert_eq!(for_play(&before, "/new", 9), after);
    }
}
