//! `toolgate audit show`: one decision whole.

use super::Directory;
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;
use std::cell::Cell;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A call id, tool use id or sequence number
    id: String,
    #[command(flatten)]
    directory: Directory,
}

pub(super) fn run(show: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let mut found = false;
    for entry in show.directory.entries(&whole)? {
        let record = &entry.record;
        let named = record.call.as_ref() == Some(&show.id)
            || record.tool_use_id.as_ref() == Some(&show.id)
            || record.seq.to_string() == show.id;
        if named {
            found = true;
            let value: serde_json::Value =
                serde_json::from_str(&entry.text).map_err(|error| error.to_string())?;
            let text = serde_json::to_string_pretty(&value).map_err(|error| error.to_string())?;
            say!("{}", text.lines().map(plain).collect::<Vec<_>>().join("\n"));
        }
    }
    if !found {
        complain!("error: no record has the id `{}`", plain(&show.id));
        return Ok(Outcome::Findings);
    }
    Ok(Outcome::Fine)
}
