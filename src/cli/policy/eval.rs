//! `toolgate policy eval`: the batch door for scripts and CI.

use super::{Asked, Outcome, home};
use crate::author::eval::answer;
use crate::world::Same;
use std::io::{BufRead, Write};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// The calls, one JSON object a line [default: standard input]
    file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let (bound, redactor) = arguments.asked.bound()?;
    let world = Same { home: home(), path: None };
    let input: Box<dyn BufRead> = match &arguments.file {
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
