//! Whether Claude Code's settings hold: read, not tried. The canaries try what they come to.

use super::super::check::{Outcome, Watch, listed};
use super::super::files::{Who, flaw_of_program};
use super::super::subject::Subject;
use super::settings::{File, Hook, Scope, for_asking};
use crate::model::json::Json;
use crate::plane::hook::events::{CLAUDE, Role, Wire, role};
use crate::wiring::client;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The hooks that count, ours and others'. Where only managed ones do, no others are there.
pub(in crate::doctor) fn hooks(subject: &Subject) -> Vec<Hook> {
    let managed_only = states(subject.settings(), "allowManagedHooksOnly")
        .any(|(file, value)| file.scope == Scope::Managed && *value == Json::Bool(true));
    let mut hooks = super::settings::hooks(subject.settings());
    hooks.retain(|hook| !managed_only || hook.scope == Scope::Managed);
    hooks
}

/// Our own of them.
pub(in crate::doctor) fn ours(subject: &Subject) -> Vec<Hook> {
    let mut hooks = hooks(subject);
    hooks.retain(Hook::is_ours);
    hooks
}

/// Every file that says something under this key.
fn states<'a>(
    files: &'a [File],
    key: &'static str,
) -> impl DoubleEndedIterator<Item = (&'a File, &'a Json)> {
    files.iter().filter_map(move |file| Some((file, file.content.as_ref().ok()?.get(key)?)))
}

const NONE: &str = "no hook of toolgate is in any settings file";

/// Why there is no hook of ours to look at, in terms of the check that fails of it.
pub(in crate::doctor) fn why_none(subject: &Subject) -> String {
    let files = subject.settings();
    if let Some(why) = http_gate(subject) {
        return why;
    }
    match files.is_empty() || files.iter().any(|file| file.content.is_err()) {
        true => "because `claude.settings` failed".to_owned(),
        false => format!("because `claude.events` failed: {NONE}"),
    }
}

/// There is no hook of ours to look at: one cause, of which one check fails.
pub(in crate::doctor) fn none(subject: &Subject) -> Outcome {
    Outcome::Skipped(why_none(subject))
}

/// What there is to say of calls that wait for an answer over HTTP, if some do.
pub(in crate::doctor) fn http_gate(subject: &Subject) -> Option<String> {
    let hooks = hooks(subject);
    let hook = hooks.iter().find(|hook| role(&hook.event) == Role::Gates && hook.http().is_some());
    let url = hook?.http().unwrap_or_default().to_owned();
    Some(format!("toolgate is wired over HTTP, at `{url}`; such hooks are not looked at"))
}

/// Fails with what is wrong with any of our hooks; skipped if there is none.
fn each(subject: &Subject, evidence: &str, wrong: impl Fn(&Hook) -> Option<String>) -> Outcome {
    let ours = ours(subject);
    if ours.is_empty() {
        return none(subject);
    }
    let told = |hook: &Hook| Some(format!("{}: {}", hook.place(), wrong(hook)?));
    let wrong: Vec<String> = ours.iter().filter_map(told).collect();
    Outcome::unless(&wrong, format!("{} hooks: {evidence}", ours.len()))
}

pub(in crate::doctor) fn readable(subject: &Subject, _: &Watch) -> Outcome {
    let files = subject.settings();
    if files.is_empty() {
        return Outcome::Failed("there is no settings file".to_owned());
    }
    let mut wrong: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let why = file.content.as_ref().err()?;
            Some(format!(
                "`{}` ({}) cannot be read: {why}",
                file.path.display(),
                file.scope.as_str()
            ))
        })
        .collect();
    for hook in super::settings::hooks(files) {
        let odd = ["timeout", "onFailure", "args"].into_iter().find(|key| {
            let fits: fn(&Json) -> bool = match *key {
                "timeout" => |value| value.as_f64().is_some_and(|seconds| seconds > 0.0),
                "args" => {
                    |value| value.as_array().is_some_and(|all| all.iter().all(Json::is_string))
                }
                _ => |value| matches!(value.as_str(), Some("block" | "continue")),
            };
            hook.handler.get(*key).is_some_and(|value| !fits(value))
        });
        if let Some(key) = odd {
            wrong.push(format!("{}: the value of `{key}` drops the hook", hook.place()));
        }
    }
    let names: Vec<&str> = files.iter().map(|file| file.scope.as_str()).collect();
    let read = format!("read: {}", names.join(", "));
    if !wrong.is_empty() {
        return Outcome::Failed(listed(&wrong));
    }
    match subject.client().and_then(|client| said_by_the_client(&client, files)) {
        Ok(wrong) => Outcome::unless(&wrong, format!("{read}, and the client finds no fault")),
        Err(why) => Outcome::Warning(format!("{read}; what the client drops is not known: {why}")),
    }
}

/// What the client itself finds wrong with the files, of which it then drops every hook.
fn said_by_the_client(program: &Path, files: &[File]) -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    for file in files {
        let Ok(content) = &file.content else { continue };
        let mistakes = client::mistakes(program, &for_asking(content).to_string())
            .map_err(|why| format!("`{} doctor` {why}", program.display()))?;
        wrong.extend(
            mistakes
                .iter()
                .map(|why| format!("`{}` ({}): {why}", file.path.display(), file.scope.as_str())),
        );
    }
    Ok(wrong)
}

pub(in crate::doctor) fn events(subject: &Subject, _: &Watch) -> Outcome {
    let ours = ours(subject);
    if ours.is_empty() {
        return match why_none(subject) {
            why if why.ends_with(NONE) => Outcome::Failed(NONE.to_owned()),
            why => Outcome::Skipped(why),
        };
    }
    let hooks = hooks(subject);
    let is_http = |name: &str| hooks.iter().any(|hook| hook.event == name && hook.http().is_some());
    let wanted = || CLAUDE.iter().filter(|event| event.wire == Wire::Command);
    let is_there = |name: &str| ours.iter().any(|hook| hook.event == name && hook.is_for_all());
    let missing: Vec<String> = wanted()
        .filter(|event| !is_there(event.name) && !is_http(event.name))
        .map(|event| format!("`{}` does not come for everything", event.name))
        .collect();
    let never = CLAUDE.iter().filter(|event| event.wire == Wire::Never);
    let harm = never
        .filter(|event| ours.iter().any(|hook| hook.event == event.name))
        .map(|event| format!("`{}` must not be registered: {}", event.name, event.why));
    let wrong: Vec<String> = missing.into_iter().chain(harm).collect();
    if let (true, Some(why)) = (wrong.is_empty(), http_gate(subject)) {
        return Outcome::Skipped(why);
    }
    Outcome::unless(&wrong, format!("{} events are registered", wanted().count()))
}

pub(in crate::doctor) fn exec_form(subject: &Subject, _: &Watch) -> Outcome {
    each(subject, "exec form, no shell between", |hook| match hook.arguments() {
        None => Some("a shell starts it; write `command` and `args`".to_owned()),
        Some(_) => hook.told().err(),
    })
}

pub(in crate::doctor) fn absolute(subject: &Subject, _: &Watch) -> Outcome {
    each(subject, "absolute path", |hook| {
        let at_root = hook.command().starts_with('/');
        (!at_root).then(|| format!("`{}` is not an absolute path", hook.command()))
    })
}

pub(in crate::doctor) fn on_failure(subject: &Subject, _: &Watch) -> Outcome {
    each(subject, "`onFailure` is `block` wherever a call waits", |hook| {
        let says = |key: &str| hook.handler.get(key);
        let loose = ["async", "asyncRewake", "once"]
            .into_iter()
            .find(|key| says(key).is_some_and(|value| *value != Json::Bool(false)));
        match (says("onFailure").and_then(Json::as_str), loose) {
            (Some("block"), None) => None,
            // What only tells holds nothing back: a blocked `Stop` would force another turn.
            (None | Some("continue"), None) if role(&hook.event) == Role::Tells => None,
            (_, Some(key)) => Some(format!("`{key}` lets calls through unasked")),
            (Some(other), None) => Some(format!("`onFailure` is `{other}`")),
            (None, None) => Some("`onFailure` is missing, which means `continue`".to_owned()),
        }
    })
}

pub(in crate::doctor) fn timeout(subject: &Subject, _: &Watch) -> Outcome {
    each(subject, "each gives up before the runtime does", |hook| {
        let deadline = match hook.told() {
            Ok(told) => told.deadline,
            Err(why) => return Some(why),
        };
        let Some(seconds) = hook.handler.get("timeout").and_then(Json::as_f64) else {
            return Some("there is no `timeout`".to_owned());
        };
        let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        (timeout <= deadline).then(|| {
            format!(
                "the runtime stops waiting after {} ms, the hook after {} ms",
                timeout.as_millis(),
                deadline.as_millis()
            )
        })
    })
}

/// Whether anything switches all hooks off, or could from a place below ours.
pub(in crate::doctor) fn switch(subject: &Subject, _: &Watch) -> Outcome {
    let Some(ours) = ours(subject).iter().map(|hook| hook.scope).max() else {
        return none(subject);
    };
    let stated = || states(subject.settings(), "disableAllHooks");
    let place = |file: &File| format!("`{}` ({})", file.path.display(), file.scope.as_str());
    let off: Vec<&File> = stated().filter(|(_, v)| **v != false).map(|(file, _)| file).collect();
    // The highest that says anything decides; managed hooks obey only their own files.
    let decides =
        stated().rev().find(|(file, _)| ours != Scope::Managed || file.scope == Scope::Managed);
    let named = || listed(&off.iter().map(|file| place(file)).collect::<Vec<_>>());
    match decides {
        Some((file, value)) if *value != false => {
            Outcome::Failed(format!("{} switches every hook off", place(file)))
        }
        _ if !off.is_empty() && ours < Scope::Flag => {
            Outcome::Failed(format!("{} would switch every hook off", named()))
        }
        None => Outcome::Failed(
            "no file says `\"disableAllHooks\": false`, so any file may say `true`".to_owned(),
        ),
        Some((file, _)) if !off.is_empty() => Outcome::Warning(format!(
            "{} tries to switch every hook off; {} stands above it",
            named(),
            place(file)
        )),
        Some((file, _)) if file.scope < ours => Outcome::Failed(format!(
            "only {} says `false`; say it in the file that has the hooks",
            place(file)
        )),
        Some((file, _)) if ours < Scope::Flag => Outcome::Warning(format!(
            "{} says `false`, but another project's own file stands above it: managed settings \
             hold everywhere",
            place(file)
        )),
        Some((file, _)) => Outcome::Ok(format!("{} says `false`", place(file))),
    }
}

/// Hooks of others at events where an answer changes what is done.
pub(in crate::doctor) fn others(subject: &Subject, _: &Watch) -> Outcome {
    if ours(subject).is_empty() {
        return none(subject);
    }
    let hooks = hooks(subject);
    let others = hooks.iter().filter(|hook| {
        !hook.is_ours() && hook.http().is_none() && role(&hook.event) == Role::Gates
    });
    let mut told: Vec<String> =
        others.map(|hook| format!("{}: `{}`", hook.place(), hook.command())).collect();
    let plugins = states(subject.settings(), "enabledPlugins");
    let plugins = plugins.filter(|(_, value)| value.as_object().is_some_and(|all| !all.is_empty()));
    told.extend(plugins.map(|(file, _)| {
        format!("plugins of `{}`, whose hooks are not looked at", file.path.display())
    }));
    match told.as_slice() {
        [] => Outcome::Ok("no other hook answers before a call".to_owned()),
        told => Outcome::Warning(listed(told)),
    }
}

pub(in crate::doctor) fn program(subject: &Subject, _: &Watch) -> Outcome {
    let programs = programs(subject);
    let absolute: Vec<&PathBuf> = programs.iter().filter(|path| path.is_absolute()).collect();
    if absolute.is_empty() {
        return match programs.is_empty() {
            true => none(subject),
            false => Outcome::Failed("no hook names its program by an absolute path".to_owned()),
        };
    }
    let wrong: Vec<String> = absolute.iter().filter_map(|path| flaw_of_program(path)).collect();
    let shown: Vec<String> = absolute.iter().map(|path| path.display().to_string()).collect();
    Outcome::unless(&wrong, format!("`{}` is static", shown.join("`, `")))
}

/// The programs of our hooks, each once.
fn programs(subject: &Subject) -> Vec<PathBuf> {
    let first = |hook: &Hook| match hook.arguments() {
        Some(_) => hook.command().to_owned(),
        None => hook.command().split_whitespace().next().unwrap_or_default().to_owned(),
    };
    let mut programs: Vec<PathBuf> =
        ours(subject).iter().map(|hook| PathBuf::from(first(hook))).collect();
    programs.sort();
    programs.dedup();
    programs
}

/// Whether the agent's user could change the wiring, by owners and modes.
pub(in crate::doctor) fn held(subject: &Subject, _: &Watch) -> Outcome {
    let files = ours(subject).into_iter().map(|hook| hook.file);
    let mut paths: Vec<PathBuf> = files.chain(programs(subject)).collect();
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        return none(subject);
    }
    held_from(subject, &paths, false)
}

/// Whether the agent's user could change any of these, or put something in its place.
pub(in crate::doctor) fn held_from(
    subject: &Subject,
    paths: &[PathBuf],
    replaced_only: bool,
) -> Outcome {
    let Some(uid) = subject.agent_uid else {
        return Outcome::Skipped("say whose calls are judged, with --agent-uid".to_owned());
    };
    if uid == 0 {
        return Outcome::Skipped(
            "modes hold nothing back from user 0; mount these read-only where the agent runs"
                .to_owned(),
        );
    }
    let who = Who::of(uid);
    let way = |path: &PathBuf| who.way_to(absolute_of(path).as_path(), replaced_only);
    let wrong: Vec<String> = paths.iter().filter_map(way).collect();
    Outcome::unless(&wrong, format!("user {uid} can write none of {} places", paths.len()))
}

fn absolute_of(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
