//! `toolgate policy`: for the person who writes policy.

use super::{Outcome, failed};
use crate::author::check::{Checked, check};
use crate::author::eval::answer;
use crate::gate::Bound;
use crate::model::path::AbsPath;
use crate::policy::builtin::Protected;
use crate::policy::{Severity, Source};
use crate::redact::Redactor;
use crate::service::config::PolicyFiles;
use crate::service::load::{anchors, load, render, sources};
use crate::world::Same;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Every mistake at once; runs the examples and tests
    Check {
        /// The policy files [default: the shipped policy]
        files: Vec<PathBuf>,
    },
    /// JSON lines in, one decision a line out
    Eval {
        /// A policy file; may be given more than once [default: the shipped policy]
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
        /// The directory that $workspace stands for [default: the policy's, else the current one]
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// The calls, one JSON object a line [default: standard input]
        file: Option<PathBuf>,
    },
    /// What one call would do, and what the policy says of it
    Explain {
        /// A policy file; may be given more than once [default: the shipped policy]
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
        /// The directory that $workspace stands for [default: the policy's, else the current one]
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// The call as one JSON object; a text that is none is a Bash command
        call: String,
    },
}

pub(super) fn run(command: &Command) -> Outcome {
    let done = match command {
        Command::Check { files } => check_files(files),
        Command::Eval { policy, workspace, file } => {
            eval(policy, workspace.as_ref(), file.as_ref())
        }
        Command::Explain { policy, workspace, call } => explain(policy, workspace.as_ref(), call),
    };
    match done {
        Ok(outcome) => outcome,
        Err(error) => failed(&error),
    }
}

fn home() -> Option<AbsPath> {
    std::env::var("HOME").ok().and_then(|home| AbsPath::parse(&home).ok())
}

/// The policy as this user's own files would be judged by it.
fn bound(policy: &[PathBuf], workspace: Option<&PathBuf>) -> Result<(Bound, Redactor), String> {
    let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
    let sources = sources(policy).map_err(|error| error.to_string())?;
    let files = PolicyFiles { workspace: workspace.cloned(), ..PolicyFiles::default() };
    let anchors = anchors(&files, home(), &sources).map_err(|error| error.to_string())?;
    let bound = load(&sources, anchors, &Protected::default(), &redactor)
        .map_err(|error| error.to_string())?;
    Ok((bound, redactor))
}

fn check_files(files: &[PathBuf]) -> Result<Outcome, String> {
    let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
    let sources: Vec<Source> = sources(files).map_err(|error| error.to_string())?;
    let anchors =
        crate::policy::pattern::Anchors::frozen(crate::author::check::workspace_in(&sources));
    let checked = check(&sources, &anchors, &Protected::default(), &redactor);
    let (ran, unproved) = (checked.held(), checked.unproved());
    let Checked { policy, diagnostics, .. } = checked;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if !diagnostics.is_empty() {
        eprintln!("{}", render(&diagnostics, &sources, colour));
    }
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    match policy {
        Some(policy) => {
            let rules: usize = policy.layers.iter().map(|layer| layer.rules.len()).sum();
            println!("{}: {rules} rules, {ran} examples and tests hold", policy.id.name);
            if unproved > 0 {
                println!("{unproved} claims over all calls are not proved yet");
            }
            println!("sha256:{}", policy.id.sha256);
            Ok(Outcome::Fine)
        }
        None => {
            println!("{errors} mistake(s): the policy does not load");
            Ok(Outcome::Findings)
        }
    }
}

fn eval(
    policy: &[PathBuf],
    workspace: Option<&PathBuf>,
    file: Option<&PathBuf>,
) -> Result<Outcome, String> {
    let (bound, redactor) = bound(policy, workspace)?;
    let world = Same { home: home(), path: None };
    let input: Box<dyn BufRead> = match file {
        Some(path) => {
            let opened = std::fs::File::open(path)
                .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
            Box::new(std::io::BufReader::new(opened))
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in input.split(b'\n') {
        let line = line.map_err(|error| format!("the calls cannot be read: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            continue;
        }
        let answered = answer(&line, &bound, &world, &redactor);
        if writeln!(out, "{answered}").is_err() {
            break;
        }
    }
    Ok(Outcome::Fine)
}

fn explain(policy: &[PathBuf], workspace: Option<&PathBuf>, call: &str) -> Result<Outcome, String> {
    let (bound, redactor) = bound(policy, workspace)?;
    let world = Same { home: home(), path: None };
    let line = match call.trim_start().starts_with('{') {
        true => call.to_owned(),
        false => serde_json::json!({ "bash": call }).to_string(),
    };
    let answered = answer(&line, &bound, &world, &redactor);
    let text = serde_json::to_string_pretty(&answered).map_err(|error| error.to_string())?;
    println!("{text}");
    Ok(Outcome::Fine)
}
