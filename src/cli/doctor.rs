//! `toolgate doctor`: tries everything for real, one line for each check.

use super::out::{complain, say};
use super::serve::without_file;
use super::show::{Paint, colour, paint, plain};
use super::{Outcome, failed};
use crate::doctor::{CHECKS, Check, Outcome as Found, Request, Subject, Watch};
use crate::service::config::Config;
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The sidecar's configuration, as `serve` was given it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A policy file, as `serve` was given it; may be given more than once
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Where the log is [default: the state directory]
    #[arg(long, value_name = "DIR")]
    audit: Option<PathBuf>,
    /// The sidecar's admin socket [default: beside the hooks' socket]
    #[arg(long, value_name = "PATH")]
    admin: Option<PathBuf>,
    /// Whose project settings and policy count [default: the current directory]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// The user that the agent runs as
    #[arg(long, value_name = "UID")]
    agent_uid: Option<u32>,
    /// Claude Code's program [default: `claude` on the PATH]
    #[arg(long, value_name = "PATH")]
    client: Option<PathBuf>,
    /// A settings file that Claude Code is given with its own --settings
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Where managed settings lie, if only read: the client itself looks in one place
    #[arg(long, value_name = "DIR", default_value = "/etc/claude-code", hide = true)]
    managed: PathBuf,
    /// Only these checks; may be given more than once
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Print what there is to check, and check nothing
    #[arg(long)]
    list: bool,
    /// How to print
    #[arg(long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

/// The stage of a played session; started by the doctor itself.
#[derive(clap::Args)]
pub(super) struct Stage {
    /// What is to be played
    plan: PathBuf,
}

pub(super) fn stage(arguments: &Stage) -> std::process::ExitCode {
    crate::doctor::stage(&arguments.plan)
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    match doctor(arguments) {
        Ok(outcome) => outcome,
        Err(why) => failed(&why),
    }
}

fn doctor(arguments: &Arguments) -> Result<Outcome, String> {
    let checks = chosen(&arguments.only)?;
    let is_json = arguments.format == "json";
    if arguments.list {
        list(&checks, is_json);
        return Ok(Outcome::Fine);
    }
    let subject = Subject::of(request(arguments)?);
    // A whole run waits for hooks to give up, a minute or so: whoever looks on should know.
    let progress = !is_json || std::io::stderr().is_terminal();
    let mut all = Vec::new();
    for check in checks {
        let mut hear = |what: &str| {
            if progress {
                complain!("         ... {what}");
            }
        };
        let found = check.run(&subject, &Watch::new(&mut hear));
        if !is_json {
            show(check, &found);
        }
        all.push((check, found));
    }
    let count = |name: &str| all.iter().filter(|(_, found)| found.as_str() == name).count();
    let counts = ["ok", "warning", "failed", "skipped"].map(|name| (name, count(name)));
    if is_json {
        let checks: Vec<_> = all.iter().map(|(check, found)| as_json(check, Some(found))).collect();
        let counts: serde_json::Map<_, _> =
            counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        say!("{:#}", json!({ "checks": checks, "counts": counts }));
    } else {
        let told = counts.map(|(name, count)| format!("{count} {name}")).join(", ");
        say!("\n{told}");
    }
    if count("failed") > 0 {
        return Ok(Outcome::Findings);
    }
    match count("ok") + count("warning") {
        0 => Err("nothing could be checked".to_owned()),
        _ => Ok(Outcome::Fine),
    }
}

/// The checks of these names; all of them if none is named.
fn chosen(only: &[String]) -> Result<Vec<&'static Check>, String> {
    if let Some(unknown) = only.iter().find(|id| CHECKS.iter().all(|check| check.id != *id)) {
        return Err(format!("there is no check `{unknown}`; `toolgate doctor --list` names them"));
    }
    let is_chosen = |check: &&Check| only.is_empty() || only.iter().any(|id| id == check.id);
    Ok(CHECKS.iter().filter(is_chosen).collect())
}

fn request(arguments: &Arguments) -> Result<Request, String> {
    let mut config = match &arguments.config {
        Some(path) => Config::read(path).map_err(|error| error.to_string())?,
        None => without_file(),
    };
    if !arguments.policy.is_empty() {
        config.policy.files.clone_from(&arguments.policy);
    }
    if let Some(audit) = &arguments.audit {
        config.audit.dir = Some(audit.clone());
    }
    let workspace = arguments.workspace.clone().or_else(|| config.policy.workspace.clone());
    let workspace = workspace.unwrap_or_else(|| PathBuf::from("."));
    let workspace = workspace.canonicalize().map_err(|error| {
        format!("the workspace `{}` is not there: {error}", workspace.display())
    })?;
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let directory = |variable: &str, name: &str| {
        std::env::var_os(variable).map_or_else(|| home.join(name), PathBuf::from)
    };
    Ok(Request {
        client: arguments.client.clone(),
        claude_config: directory("CLAUDE_CONFIG_DIR", ".claude"),
        codex_config: directory("CODEX_HOME", ".codex"),
        workspace,
        settings: arguments.settings.clone(),
        managed: arguments.managed.clone(),
        config,
        config_file: arguments.config.clone(),
        admin: arguments.admin.clone(),
        agent_uid: arguments.agent_uid,
    })
}

fn list(checks: &[&Check], is_json: bool) {
    if is_json {
        let checks: Vec<_> = checks.iter().map(|check| as_json(check, None)).collect();
        say!("{:#}", json!({ "checks": checks }));
        return;
    }
    for check in checks {
        say!("{:<16} {:<8} {}", check.id, check.plane.as_str(), check.title);
    }
}

fn as_json(check: &Check, found: Option<&Found>) -> serde_json::Value {
    let mut told = json!({
        "id": check.id, "title": check.title, "plane": check.plane.as_str(),
        "matters": check.matters, "fix": check.fix,
    });
    if let (Some(found), Some(fields)) = (found, told.as_object_mut()) {
        fields.insert("outcome".to_owned(), found.as_str().into());
        fields.insert("seen".to_owned(), found.seen().into());
    }
    told
}

/// One line; and where something is wrong, why that matters and what to do.
fn show(check: &Check, found: &Found) {
    let colour = colour();
    let hue = match found {
        Found::Ok(_) => Paint::Allow,
        Found::Warning(_) => Paint::Ask,
        Found::Failed(_) => Paint::Deny,
        Found::Skipped(_) => Paint::Dim,
    };
    let word = paint(&format!("{:<7}", found.as_str()), hue, colour);
    say!("{word}  {:<16} {}", check.id, check.title);
    say!("         {}", paint(&plain(found.seen()), Paint::Dim, colour));
    if matches!(found, Found::Failed(_) | Found::Warning(_)) {
        say!("         why: {}", check.matters);
        say!("         do:  {}", check.fix);
    }
    super::out::flush();
}
