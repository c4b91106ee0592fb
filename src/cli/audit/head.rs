//! `toolgate audit head`: the newest signed head of the log, to keep elsewhere.

use super::Directory;
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::note::Note;
use crate::audit::query::{Filter, Order, Source};
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;
use crate::model::json::Json;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let directory = arguments.directory.path()?;
    let heads =
        Filter::from_pairs([("kind", "audit.checkpoint,audit.key")], jiff::Timestamp::now());
    let heads = heads.map_err(|error| error.to_string())?;
    let source = Source::directory(&directory);
    let rows = source.rows(&heads, Order::NewestFirst).map_err(|error| error.to_string())?;
    for entry in rows.flatten() {
        let note = entry.record.details.get("note").and_then(Json::as_str).unwrap_or_default();
        let Some(head) = Note::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()))
        else {
            continue;
        };
        say!("{}", note.trim_end_matches('\n'));
        complain!(
            "the head of {} records of stream {}, signed at {}; keep it where nobody who can write \
             this log can write, and give it to `audit verify --head`",
            head.size,
            head.stream,
            plain(&head.time)
        );
        return Ok(Outcome::Fine);
    }
    complain!("error: nothing in `{}` is signed yet", directory.display());
    Ok(Outcome::Findings)
}
