//! Codex: its hooks, and whether it trusts them; read and not tried.
//!
//! Codex passes over a hook that it does not trust without a word, and runs the tool. What it
//! compares is a digest of the hook as it has normalised it (as of 0.169); managed hooks need none.

use super::check::{Outcome, Watch};
use super::files::on_path;
use super::subject::Subject;
use crate::model::json::Json;
use crate::plane::hook::client;
use crate::plane::hook::events::{CODEX, Wire};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where an administrator's settings lie.
const MANAGED: &str = "/etc/codex";
/// The timeout of a hook that says none, in seconds.
const TIMEOUT_S: u64 = 600;
/// What a hook at the end of a session gets at most, in seconds.
const SESSION_END_S: u64 = 3;

/// A settings file of Codex that is there.
struct File {
    path: PathBuf,
    is_managed: bool,
    content: Result<Json, String>,
}

/// One hook of ours.
struct Hook {
    file: PathBuf,
    is_managed: bool,
    event: String,
    matcher: Option<String>,
    handler: Json,
    /// Its group and its place in it, by which its trust is kept.
    place: (usize, usize),
}

fn files(subject: &Subject) -> Vec<File> {
    let user = &subject.request.codex_config;
    let paths = [
        (user.join("hooks.json"), false),
        (user.join("config.toml"), false),
        (Path::new(MANAGED).join("requirements.toml"), true),
        (Path::new(MANAGED).join("config.toml"), true),
        (Path::new(MANAGED).join("managed_config.toml"), true),
    ];
    let file = |(path, is_managed): (PathBuf, bool)| {
        let content = content(&path)?;
        Some(File { path, is_managed, content })
    };
    paths.into_iter().filter_map(file).collect()
}

/// What a file says, if it is there.
fn content(path: &Path) -> Option<Result<Json, String>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(error.to_string())),
    };
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    Some(match is_json {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error| error.to_string()),
    })
}

/// Our hooks in all files.
fn ours(files: &[File]) -> Vec<Hook> {
    let mut found = Vec::new();
    for file in files {
        let hooks = file.content.as_ref().ok().and_then(|content| content.get("hooks"));
        for (event, groups) in hooks.and_then(Json::as_object).into_iter().flatten() {
            for (group, content) in groups.as_array().into_iter().flatten().enumerate() {
                let handlers = content.get("hooks").and_then(Json::as_array);
                for (index, handler) in handlers.into_iter().flatten().enumerate() {
                    let hook = Hook {
                        file: file.path.clone(),
                        is_managed: file.is_managed,
                        event: event.clone(),
                        matcher: content.get("matcher").and_then(Json::as_str).map(str::to_owned),
                        handler: handler.clone(),
                        place: (group, index),
                    };
                    found.extend(hook.told().is_some().then_some(hook));
                }
            }
        }
    }
    found
}

impl Hook {
    fn command(&self) -> &str {
        self.handler.get("command").and_then(Json::as_str).unwrap_or_default()
    }

    /// What toolgate's hook client is told, if that is what is run.
    fn told(&self) -> Option<Result<client::Settings, String>> {
        let words: Vec<String> =
            self.command().split_whitespace().map(|word| word.replace('\'', "")).collect();
        let (program, arguments) = words.split_first()?;
        let name = program.rsplit('/').next().unwrap_or_default();
        let (first, rest) = arguments.split_first()?;
        (name.starts_with("toolgate") && first == "hook").then(|| client::parse_args(rest))
    }

    /// What is wrong with it.
    fn flaw(&self) -> Option<String> {
        let place = format!("{} in `{}`", self.event, self.file.display());
        if !self.command().trim_start_matches('\'').starts_with('/') {
            return Some(format!("{place}: `{}` is not an absolute path", self.command()));
        }
        let deadline = match self.told()? {
            Ok(told) => told.deadline,
            Err(why) => return Some(format!("{place}: {why}")),
        };
        let timeout = Duration::from_secs(self.timeout());
        (timeout <= deadline).then(|| {
            format!("{place}: Codex stops waiting before the hook does, and runs the tool")
        })
    }

    fn timeout(&self) -> u64 {
        let stated = self.handler.get("timeout").and_then(Json::as_u64).unwrap_or(TIMEOUT_S);
        if self.event == "SessionEnd" { stated.min(SESSION_END_S) } else { stated }
    }

    /// The name that its trust is kept under.
    fn key(&self) -> String {
        let (group, index) = self.place;
        format!("{}:{}:{group}:{index}", self.file.display(), label(&self.event))
    }

    /// What Codex compares with before it runs a hook.
    fn digest(&self) -> String {
        let is_async = self.handler.get("async").and_then(Json::as_bool).unwrap_or_default();
        let mut handler = json!({
            "async": is_async, "command": self.command(), "timeout": self.timeout(),
            "type": "command",
        });
        let mut hook = json!({ "event_name": label(&self.event) });
        if let (Some(fields), Some(message)) =
            (handler.as_object_mut(), self.handler.get("statusMessage"))
        {
            fields.insert("statusMessage".to_owned(), message.clone());
        }
        if let Some(fields) = hook.as_object_mut() {
            fields.insert("hooks".to_owned(), json!([handler]));
            let has_matcher = !matches!(self.event.as_str(), "UserPromptSubmit" | "Stop");
            if let Some(matcher) = self.matcher.as_ref().filter(|_| has_matcher) {
                fields.insert("matcher".to_owned(), json!(matcher));
            }
        }
        // The map sorts its keys, as Codex does.
        let digest = Sha256::digest(hook.to_string().as_bytes());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digits}")
    }
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

/// Why nothing of Codex is looked at, if nothing is.
fn not_there(files: &[File]) -> Option<Outcome> {
    let none = on_path("codex").is_none() && files.is_empty();
    none.then(|| Outcome::Skipped("there is no `codex` on the PATH, and no settings".to_owned()))
}

/// Whether `[features] hooks` says this.
fn features(content: Option<&Json>) -> Option<bool> {
    content?.get("features")?.get("hooks")?.as_bool()
}

pub(super) fn hooks(subject: &Subject, _: &Watch) -> Outcome {
    let files = files(subject);
    if let Some(outcome) = not_there(&files) {
        return outcome;
    }
    let mut wrong: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let why = file.content.as_ref().err()?;
            Some(format!("`{}` cannot be read: {why}", file.path.display()))
        })
        .collect();
    let says = |file: &File| features(file.content.as_ref().ok());
    let pinned = files
        .iter()
        .any(|file| file.path.ends_with("requirements.toml") && says(file) == Some(true));
    let project = subject.request.workspace.join(".codex/config.toml");
    let project_says = content(&project).and_then(|content| features(content.ok().as_ref()));
    let mut off: Vec<PathBuf> = files
        .iter()
        .filter(|file| says(file) == Some(false))
        .map(|file| file.path.clone())
        .collect();
    off.extend((project_says == Some(false)).then_some(project));
    if !pinned {
        let told = |path: &PathBuf| format!("`{}` switches hooks off", path.display());
        wrong.extend(off.iter().map(told));
    }
    let ours = ours(&files);
    if ours.is_empty() {
        wrong.push("no hook of toolgate is in any settings file".to_owned());
        return Outcome::unless(&wrong, "");
    }
    wrong.extend(ours.iter().filter_map(Hook::flaw));
    let for_all = |hook: &&Hook| matches!(hook.matcher.as_deref(), None | Some("" | "*" | ".*"));
    let there: BTreeSet<&str> =
        ours.iter().filter(for_all).map(|hook| hook.event.as_str()).collect();
    let wanted = || CODEX.iter().filter(|event| event.wire == Wire::Command);
    let missing = wanted().filter(|event| !there.contains(event.name));
    wrong.extend(missing.map(|event| format!("`{}` does not come for everything", event.name)));
    Outcome::unless(&wrong, format!("{} events are registered", wanted().count()))
}

pub(super) fn trust(subject: &Subject, _: &Watch) -> Outcome {
    let files = files(subject);
    if let Some(outcome) = not_there(&files) {
        return outcome;
    }
    let config = content(&subject.request.codex_config.join("config.toml")).and_then(Result::ok);
    let state = config.as_ref().and_then(|config| config.get("hooks")?.get("state"));
    let ours = ours(&files);
    let mut wrong = Vec::new();
    for hook in &ours {
        let kept = state.and_then(|state| state.get(hook.key()));
        let says = |key: &str| kept.and_then(|kept| kept.get(key));
        if says("enabled") == Some(&Json::Bool(false)) {
            wrong.push(format!("{} is switched off", hook.key()));
        } else if hook.is_managed {
            continue;
        } else if says("trusted_hash").and_then(Json::as_str) != Some(hook.digest().as_str()) {
            wrong.push(format!("{} is not trusted as it stands there", hook.key()));
        }
    }
    if ours.is_empty() {
        return Outcome::Failed("no hook of toolgate is in any settings file".to_owned());
    }
    Outcome::unless(&wrong, format!("{} hooks are trusted", ours.len()))
}

pub(super) fn canary(subject: &Subject, _: &Watch) -> Outcome {
    not_there(&files(subject))
        .unwrap_or_else(|| Outcome::Skipped("this version plays no session of Codex".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(event: &str, matcher: Option<&str>, handler: Json) -> Hook {
        Hook {
            file: PathBuf::from("/c/hooks.json"),
            is_managed: false,
            event: event.to_owned(),
            matcher: matcher.map(str::to_owned),
            handler,
            place: (1, 0),
        }
    }

    /// As `hooks/list` of the real client gave them (Codex 0.169.0).
    #[test]
    fn the_digest_is_the_clients_own() {
        let command = "/opt/toolgate hook codex --deadline 2000";
        let timed = json!({ "command": command, "timeout": 10 });
        let told = json!({ "command": command, "statusMessage": "é asks" });
        for (event, matcher, handler, digest) in [
            (
                "PreToolUse",
                Some("^Bash$"),
                &timed,
                "1a9b81d3d9236a9f51917c1c3997ab7031818da9532d2460e062f0f08258f041",
            ),
            (
                "PreToolUse",
                None,
                &told,
                "c7e7a3edac141e82e4530a96b69a38e82ebc3fdcbbd12f387adf8a60a7ed48c8",
            ),
            (
                "SessionEnd",
                None,
                &timed,
                "41d90a90971ba1fac31a6df248a1d36d778a293e858bc56a0e98b2097e13c4d7",
            ),
            (
                "Stop",
                Some("x"),
                &timed,
                "a5b3ae8e9d5a8805ab6a82651049fc13d938f8395a9ae24172eb3b16e408c67f",
            ),
        ] {
            let digest = format!("sha256:{digest}");
            assert_eq!(hook(event, matcher, handler.clone()).digest(), digest, "{event}");
        }
        let here = hook("PreToolUse", None, json!({}));
        assert_eq!(here.key(), "/c/hooks.json:pre_tool_use:1:0");
    }

    #[test]
    fn a_hook_that_outlives_codexs_patience_is_told_of() {
        let flaw = |event: &str, command: &str, timeout: u64| {
            hook(event, None, json!({ "command": command, "timeout": timeout })).flaw()
        };
        let good = "/o/toolgate hook codex --deadline 2000";
        assert_eq!(flaw("PreToolUse", good, 10), None);
        for (event, command, timeout) in [
            ("PreToolUse", good, 2),
            ("SessionEnd", "/o/toolgate hook codex --deadline 5000", 10),
            ("PreToolUse", "toolgate hook codex --deadline 2000", 10),
            ("PreToolUse", "/o/toolgate hook codex --deadlin 2000", 10),
        ] {
            assert!(flaw(event, command, timeout).is_some(), "{event} {command}");
        }
    }
}
