//! `toolgate policy fmt`: one layout for policy files.

use super::{Outcome, readable};
use crate::author::format::format;
use crate::author::rewrite::rewrite;
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
    Changed,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut outcome = Outcome::Fine;
    for file in &arguments.files {
        let name = file.display().to_string();
        match lay_out(file, arguments.check) {
            Ok(Done::Same) => {}
            Ok(Done::Changed) if arguments.check => {
                println!("would change: {}", seen(&name));
                if outcome == Outcome::Fine {
                    outcome = Outcome::Findings;
                }
            }
            Ok(Done::Changed) => println!("changed: {}", seen(&name)),
            // The other files are laid out all the same.
            Err(error) => {
                eprintln!("error: {}", seen(&error));
                outcome = Outcome::Failed;
            }
        }
    }
    outcome
}

fn lay_out(file: &Path, check: bool) -> Result<Done, String> {
    let source = readable(file).map_err(|error| error.to_string())?;
    let told = |error: &dyn std::fmt::Display| format!("`{}`: {error}", source.name);
    let text = format(&source.text).map_err(|error| told(&error))?;
    let changed = text != source.text;
    if file == Path::new("-") && !check {
        print!("{text}");
        return Ok(Done::Same);
    }
    if changed && !check {
        rewrite(file, &source.text, &text).map_err(|error| told(&error))?;
    }
    Ok(if changed { Done::Changed } else { Done::Same })
}
