//! `toolgate policy`: for the person who writes policy. One file for each of its commands.

mod check;
mod eval;
mod explain;
mod fmt;
mod import;
mod show;
mod test;

use super::out::complain;
use super::{Outcome, failed};
use crate::gate::Bound;
use crate::limits::POLICY_BYTES_MAX;
use crate::model::path::AbsPath;
use crate::model::time::Moment;
use crate::policy::builtin::Protected;
use crate::policy::diagnostic::seen;
use crate::policy::{Source, schema};
use crate::redact::Redactor;
use crate::service::config::PolicyFiles;
use crate::service::layers::named;
use crate::service::load::{LoadError, anchors, load_to_ask, sources, with_other_names};
use crate::world::Same;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Every mistake at once; runs the examples and tests
    Check(check::Arguments),
    /// How the examples and tests come out; for CI too
    Test(test::Arguments),
    /// JSON lines in, one decision a line out
    Eval(eval::Arguments),
    /// What one call would do, and why the policy says what it says of it
    Explain(explain::Arguments),
    /// The merged grid over all layers, and what its lists hold
    Show(show::Arguments),
    /// One layout for policy files; comments stay, nothing changes its meaning
    Fmt(fmt::Arguments),
    /// A policy made from Claude Code's, sandbox-runtime's or Codex's lists of hosts
    Import(import::Arguments),
    /// The JSON Schema of policy files, for editors
    Schema,
}

pub(super) fn run(command: &Command) -> Outcome {
    let done = match command {
        Command::Check(arguments) => check::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Fmt(arguments) => Ok(fmt::run(arguments)),
        Command::Import(arguments) => import::run(arguments),
        Command::Schema => {
            crate::cli::out::text(&schema::text());
            Ok(Outcome::Fine)
        }
    };
    match done {
        Ok(outcome) => outcome,
        Err(error) => failed(&error),
    }
}

/// Which policy is asked, and where.
#[derive(clap::Args)]
pub(super) struct Asked {
    /// A policy file, or a directory of them; may be given more than once [default: the shipped
    /// policy]
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Take a policy that names signers, as `serve` is told to; no signature is checked here
    #[arg(long)]
    unsigned_ok: bool,
    /// The directory that $workspace stands for [default: the policy's, else the current one]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

/// A policy that was read, and where it holds.
pub(super) struct Ready {
    pub(super) sources: Vec<Source>,
    pub(super) bound: Bound,
    pub(super) redactor: Redactor,
}

impl Asked {
    /// Whether a policy was named.
    pub(super) fn is_named(&self) -> bool {
        !self.policy.is_empty()
    }

    /// The policy as this user's own files would be judged by it.
    pub(super) fn read(&self) -> Result<Ready, String> {
        self.read_with(&[])
    }

    /// The same with files that were named besides.
    fn read_with(&self, more: &[PathBuf]) -> Result<Ready, String> {
        let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
        let named = [self.policy.as_slice(), more].concat();
        let sources = sources(&named).map_err(|error| error.to_string())?;
        let files = PolicyFiles { workspace: self.workspace.clone(), ..PolicyFiles::default() };
        let anchors = anchors(&files, home(), &sources).map_err(|error| error.to_string())?;
        let world = Same { home: home(), path: None };
        let anchors = with_other_names(anchors, &files, &world);
        let (bound, failed) = load_to_ask(&sources, anchors, &Protected::default(), &redactor)
            .map_err(|error| error.to_string())?;
        for one in failed {
            complain!("warning: {}", seen(&one));
        }
        Ok(Ready { sources, bound, redactor })
    }
}

fn now() -> Moment {
    Moment(jiff::Timestamp::now().as_microsecond())
}

pub(super) fn home() -> Option<AbsPath> {
    std::env::var("HOME").ok().and_then(|home| AbsPath::parse(&home).ok())
}

/// A file, those of a directory, or standard input for `-`.
fn readable(file: &Path) -> Result<Vec<Source>, LoadError> {
    if file != Path::new("-") {
        return named(file);
    }
    let unreadable = |why: String| LoadError::Unreadable(file.to_owned(), why);
    let mut text = String::new();
    std::io::stdin()
        .take(POLICY_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() > POLICY_BYTES_MAX {
        return Err(unreadable(format!("it has more than {POLICY_BYTES_MAX} bytes")));
    }
    Ok(vec![Source { name: "-".to_owned(), text, layer: None }])
}

/// Whether somebody gave a policy where none belongs: such a file is named so, and is there.
fn is_policy(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "toml") && path.is_file()
}

/// What is said then.
fn misplaced(path: &Path) -> String {
    format!("`{}` looks like a policy; give it with --policy", seen(&path.display().to_string()))
}
