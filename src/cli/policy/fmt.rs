//! `toolgate policy fmt`: one layout for policy files.

use super::{Outcome, readable};
use crate::author::format::format;
use crate::author::rewrite::rewrite;
use crate::cli::out::{complain, say};
use crate::policy::Source;
use crate::policy::diagnostic::seen;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The policy files; `-` takes standard input and writes standard output
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; exit code 1 if anything would change
    #[arg(long)]
    check: bool,
}

/// What came of one file.
enum Done {
    Same,
    Changed(String),
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut outcome = Outcome::Fine;
    for file in &arguments.files {
        let done = match readable(file) {
            Ok(sources) => sources.iter().map(|source| one(source, arguments.check)).collect(),
            Err(error) => vec![Err(error.to_string())],
        };
        for done in done {
            let found = told(done, arguments.check);
            // The other files are laid out all the same.
            outcome =
                if outcome == Outcome::Failed || found == Outcome::Fine { outcome } else { found };
        }
    }
    outcome
}

fn told(done: Result<Done, String>, check: bool) -> Outcome {
    match done {
        Ok(Done::Same) => Outcome::Fine,
        Ok(Done::Changed(name)) if check => {
            say!("would change: {}", seen(&name));
            Outcome::Findings
        }
        Ok(Done::Changed(name)) => {
            say!("changed: {}", seen(&name));
            Outcome::Fine
        }
        Err(error) => {
            complain!("error: {}", seen(&error));
            Outcome::Failed
        }
    }
}

fn one(source: &Source, check: bool) -> Result<Done, String> {
    let told = |error: &dyn std::fmt::Display| format!("`{}`: {error}", source.name);
    let text = format(&source.text).map_err(|error| told(&error))?;
    let changed = text != source.text;
    if source.name == "-" && !check {
        crate::cli::out::text(&text);
        return Ok(Done::Same);
    }
    if changed && !check {
        rewrite(Path::new(&source.name), &source.text, &text).map_err(|error| told(&error))?;
    }
    Ok(if changed { Done::Changed(source.name.clone()) } else { Done::Same })
}
