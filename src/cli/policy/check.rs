//! `toolgate policy check`: every mistake at once, for people, programs and code scanning; and
//! `--fix` for those that have one answer.

use super::{Outcome, readable};
use crate::author::check::{Checked, check, check_and_lint, workspace_in};
use crate::author::fix::{Done, fix};
use crate::author::rewrite::rewrite;
use crate::cli::out::{complain, say};
use crate::model::time::Moment;
use crate::policy::builtin::Protected;
use crate::policy::diagnostic::{ascii, human, json, sarif, seen};
use crate::policy::pattern::Anchors;
use crate::policy::{Severity, Source, compile};
use crate::redact::Redactor;
use crate::service::load::{LoadError, sources};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The policy files; `-` is standard input [default: the shipped policy]
    files: Vec<PathBuf>,
    /// How the mistakes are told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Which lints are told; none of them ever changes the exit code
    #[arg(long, value_enum, default_value_t = Lints::Warnings)]
    lints: Lints,
    /// Mend what has one answer; comments and layout stay
    #[arg(long, requires = "files")]
    fix: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// As a compiler does, on standard error
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Lints {
    /// None
    None,
    /// What the author should look at
    Warnings,
    /// Also what is only worth knowing
    All,
}

impl Lints {
    /// The least that is told of a policy that loads.
    fn least(self) -> Severity {
        match self {
            Lints::None | Lints::Warnings => Severity::Warning,
            Lints::All => Severity::Note,
        }
    }
}

/// All that was found.
struct Found {
    sources: Vec<Source>,
    checked: Checked,
    unreadable: Vec<sarif::Unreadable>,
    fixed: Vec<Done>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
    let (mut sources, unreadable) = read(&arguments.files);
    let whole = unreadable.is_empty();
    let fixed = match arguments.fix {
        true => mend(&mut sources, arguments, &redactor, whole)?,
        false => Vec::new(),
    };
    let checked = examine(&sources, &redactor, whole, arguments.lints);
    let found = Found { sources, checked, unreadable, fixed };
    match arguments.format {
        Format::Human => tell(&found),
        Format::Json => print(&as_json(&found)),
        Format::Sarif => {
            let Found { sources, checked, unreadable, .. } = &found;
            print(&sarif::log(&checked.diagnostics, sources, unreadable));
        }
    }
    Ok(match (whole, found.errors()) {
        (false, _) => Outcome::Failed,
        (true, 0) => Outcome::Fine,
        (true, _) => Outcome::Findings,
    })
}

/// The files that can be read, and those that cannot.
fn read(files: &[PathBuf]) -> (Vec<Source>, Vec<sarif::Unreadable>) {
    if files.is_empty() {
        return (sources(files).unwrap_or_default(), Vec::new());
    }
    let (mut sources, mut unreadable) = (Vec::new(), Vec::new());
    for file in files {
        match readable(file) {
            Ok(read) => sources.extend(read),
            Err(LoadError::Unreadable(path, why)) => {
                unreadable.push((path.display().to_string(), why));
            }
            Err(error) => unreadable.push((file.display().to_string(), error.to_string())),
        }
    }
    (sources, unreadable)
}

/// Checks the files together. Where one is missing the others are read and no more: what their
/// tests claim is claimed of all of them.
fn examine(sources: &[Source], redactor: &Redactor, whole: bool, lints: Lints) -> Checked {
    let anchors = Anchors::frozen(workspace_in(sources));
    let protected = Protected::default();
    if whole {
        if let Lints::None = lints {
            return check(sources, &anchors, &protected, redactor);
        }
        let now = Moment(jiff::Timestamp::now().as_microsecond());
        let mut checked = check_and_lint(sources, &anchors, &protected, redactor, Some(now));
        checked.diagnostics.retain(|found| found.severity >= lints.least());
        return checked;
    }
    let diagnostics = compile(sources, &anchors, &protected).diagnostics;
    Checked { policy: None, unsound: None, diagnostics, ran: Vec::new() }
}

/// Mends what has one answer, in the files themselves.
fn mend(
    sources: &mut Vec<Source>,
    arguments: &Arguments,
    redactor: &Redactor,
    whole: bool,
) -> Result<Vec<Done>, String> {
    let Arguments { files, lints, .. } = arguments;
    if files.iter().any(|file| file == Path::new("-")) {
        return Err("standard input cannot be fixed: name the file".to_owned());
    }
    let fixed = fix(sources, &|sources| examine(sources, redactor, whole, *lints).diagnostics);
    for (index, (old, new)) in sources.iter().zip(&fixed.sources).enumerate() {
        let again = sources.iter().take(index).any(|source| source.name == old.name);
        if old.text != new.text && !again {
            rewrite(Path::new(&old.name), &old.text, &new.text)
                .map_err(|error| format!("`{}` is not fixed: {error}", seen(&old.name)))?;
        }
    }
    *sources = fixed.sources;
    Ok(fixed.done)
}

impl Found {
    fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    fn count(&self, severity: Severity) -> usize {
        self.checked.diagnostics.iter().filter(|found| found.severity == severity).count()
    }
}

fn tell(found: &Found) {
    let Found { sources, checked, unreadable, fixed } = found;
    for done in fixed {
        let (file, words) = (seen(&done.file), seen(&done.words));
        complain!("fixed[{}]: {words}\n --> {file}:{}:{}", done.code, done.line, done.column);
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if !checked.diagnostics.is_empty() {
        complain!("{}", human::render_all(&checked.diagnostics, sources, colour));
    }
    for (file, why) in unreadable {
        complain!("error: the policy `{}` cannot be read: {}", seen(file), seen(why));
    }
    let (errors, warnings) = (found.errors(), found.count(Severity::Warning));
    match &checked.policy {
        Some(policy) => {
            let rules: usize = policy.layers.iter().map(|layer| layer.rules.len()).sum();
            let name = seen(&policy.id.name);
            let warned =
                if warnings > 0 { format!(", {warnings} warning(s)") } else { String::new() };
            let held = checked.held();
            say!("{name}: {rules} rules, {held} examples and tests hold{warned}");
            if checked.unproved() > 0 {
                say!("{} claims over all calls are not proved yet", checked.unproved());
            }
            say!("sha256:{}", policy.id.sha256);
            if errors > 0 {
                // The layers above stay in force without it (policy language §11.24).
                say!("{errors} mistake(s): a file is refused, and is no part of this");
            }
        }
        None if unreadable.is_empty() => {
            say!("{errors} mistake(s): the policy does not load");
        }
        None => say!("{errors} mistake(s) in what can be read; no test was run"),
    }
}

fn as_json(found: &Found) -> Value {
    let Found { sources, checked, unreadable, fixed } = found;
    let policy = checked.policy.as_ref().map(|policy| {
        let rules: usize = policy.layers.iter().map(|layer| layer.rules.len()).sum();
        json!({
            "name": policy.id.name, "sha256": policy.id.sha256, "rules": rules,
            "held": checked.held(), "unproved": checked.unproved(),
        })
    });
    let unreadable: Value =
        unreadable.iter().map(|(file, why)| json!({ "file": file, "why": why })).collect();
    let fixed: Value = fixed
        .iter()
        .map(|done| {
            json!({
                "code": done.code, "file": done.file, "line": done.line, "column": done.column,
                "words": done.words,
            })
        })
        .collect();
    json!({
        "diagnostics": json::diagnostics(&checked.diagnostics, sources),
        "policy": policy, "unreadable": unreadable, "fixed": fixed,
        "errors": found.errors(), "warnings": found.count(Severity::Warning),
    })
}

fn print(value: &Value) {
    say!("{}", ascii(&format!("{value:#}")));
}
