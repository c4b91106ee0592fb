//! `toolgate audit prove`: a proof that a record stands in the log, or that a head goes on from
//! another, as one JSON object that anyone can check offline.

use super::Directory;
use super::verify::signed_heads;
use crate::audit::proof::bundle::Bundle;
use crate::audit::proof::prove::{prove, prove_consistency};
use crate::audit::{Entry, StreamId};
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;
use std::cell::Cell;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A call id, tool use id, sequence number or STREAM/SEQ
    #[arg(required_unless_present = "from")]
    id: Option<String>,
    /// Prove instead that the log goes on from this signed head
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    from: Option<PathBuf>,
    #[command(flatten)]
    directory: Directory,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let directory = arguments.directory.path()?;
    let bundle = match (&arguments.id, &arguments.from) {
        (Some(id), _) => {
            let Some((stream, seq)) = find(arguments, id)? else {
                complain!("error: no record has the id `{}`", plain(id));
                super::tell_of_deleted(&directory);
                return Ok(Outcome::Findings);
            };
            prove(&directory, &stream, seq).map(Bundle::Inclusion)
        }
        (None, Some(from)) => consistency(&directory, from)?,
        (None, None) => return Err("say which record, or which head with `--from`".to_owned()),
    };
    match bundle {
        Ok(bundle) => {
            let text = serde_json::to_string_pretty(&bundle).map_err(|why| why.to_string())?;
            say!("{text}");
            Ok(Outcome::Fine)
        }
        Err(why) => {
            complain!("error: {}", plain(&why.to_string()));
            Ok(Outcome::Findings)
        }
    }
}

fn consistency(
    directory: &Path,
    from: &Path,
) -> Result<Result<Bundle, crate::audit::proof::prove::NoProof>, String> {
    // Of those that were kept behind each other the newest vouches for the others.
    let newest = signed_heads(from)?.pop();
    let (head, note) = newest.ok_or_else(|| format!("`{}` holds no head", from.display()))?;
    Ok(prove_consistency(directory, &head, &note).map(Bundle::Consistency))
}

/// The place of the record that is meant.
fn find(arguments: &Arguments, id: &str) -> Result<Option<(StreamId, u64)>, String> {
    if let Some((stream, seq)) = id.split_once('/')
        && let (Some(stream), Ok(seq)) = (StreamId::parse(stream), seq.parse())
    {
        return Ok(Some((stream, seq)));
    }
    let whole = Cell::new(Outcome::Fine);
    let named = |entry: &Entry| {
        let record = &entry.record;
        record.call.as_deref() == Some(id)
            || record.tool_use_id.as_deref() == Some(id)
            || record.seq.to_string() == id
    };
    let found: Vec<Entry> = arguments.directory.entries(&whole)?.filter(named).collect();
    // Of a call's records its decision is meant.
    let decided = found.iter().find(|entry| entry.record.decision.is_some());
    let Some(entry) = decided.or(found.first()) else { return Ok(None) };
    for other in found.iter().filter(|other| other.text != entry.text) {
        let (stream, seq) = (plain(&other.record.stream), other.record.seq);
        complain!("note: `{stream}/{seq}` has this id too ({})", plain(&other.record.kind));
    }
    let stream = StreamId::parse(&entry.record.stream);
    let stream = stream.ok_or_else(|| format!("`{}` is in no stream", plain(id)))?;
    Ok(Some((stream, entry.record.seq)))
}
