//! `toolgate policy import`: a policy made from another guard's lists of hosts.

use super::{Outcome, readable};
use crate::author::import::{Format, Imported, import};
use crate::cli::out::{complain, text};
use crate::policy::diagnostic::seen;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The settings; `-` is standard input
    file: PathBuf,
    /// Whose settings they are [default: what stands in them shows it]
    #[arg(long, value_name = "NAME", value_parser = ["claude", "sandbox-runtime", "codex"])]
    from: Option<String>,
}

/// The policy goes to standard output; what a person should know, to standard error.
pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let format = arguments.from.as_deref().map(|name| match name {
        "codex" => Format::Codex,
        "sandbox-runtime" => Format::SandboxRuntime,
        _ => Format::Claude,
    });
    let place = arguments.file.display();
    let sources = readable(&arguments.file).map_err(|error| error.to_string())?;
    let [source] = sources.as_slice() else {
        return Err(format!("`{place}` is a directory; name one file"));
    };
    let Imported { policy, notes, left_out, .. } = import(&source.text, format)
        .map_err(|error| format!("`{place}` cannot be taken: {error}"))?;
    text(&policy);
    notes.iter().for_each(|note| complain!("note: {}", seen(note)));
    left_out.iter().for_each(|one| complain!("warning: left out: {}", seen(one)));
    Ok(if left_out.is_empty() { Outcome::Fine } else { Outcome::Findings })
}
