//! `toolgate audit hash`: what the log says in a secret's place, for a value that one knows.

use super::{Directory, Format, print};
use crate::audit::{Entry, commitment_key, commitment_key_file};
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::limits::EVENT_BYTES_MAX;
use std::cell::Cell;
use std::io::Read;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The value; `-` reads it from standard input without the last newline, so that it is not in
    /// the shell's history
    value: String,
    /// Show the records in which the value was redacted, too
    #[arg(long)]
    find: bool,
    /// The file of the key [default: commitment.key in the log's directory]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    directory: Directory,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let directory = arguments.directory.path()?;
    let file = arguments.key.clone().unwrap_or_else(|| commitment_key_file(&directory));
    let key = commitment_key(&file).map_err(|error| error.to_string())?;
    let value = value(&arguments.value)?;
    let secret = key.commit(&value);
    if !arguments.find {
        say!("{secret}");
        return Ok(Outcome::Fine);
    }
    // As a text that was left out it is told in another way.
    let told = [secret, key.commit_text(&value)];
    let whole = Cell::new(Outcome::Fine);
    let entries = arguments.directory.entries(&whole)?;
    let found: Vec<Entry> =
        entries.filter(|entry| told.iter().any(|told| entry.text.contains(told))).collect();
    print(found.iter(), &arguments.format);
    match found.len() {
        0 => complain!("no record says that it held this value"),
        1 => complain!("1 record held it"),
        count => complain!("{count} records held it"),
    }
    Ok(whole.get())
}

/// The value, from the argument or from standard input.
fn value(argument: &str) -> Result<String, String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(EVENT_BYTES_MAX).unwrap_or(u64::MAX);
    std::io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|why| format!("standard input cannot be read: {why}"))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| "the value is not UTF-8, as every record is".to_owned())
}
