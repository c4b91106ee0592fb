//! `toolgate audit verify-proof`: what a proof proves, without the log.

use super::listing;
use super::table::{self, counted};
use super::verify::public_key;
use crate::audit::proof::bundle::{Bundle, Proven};
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::wire::WireRecord;
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;
use crate::review::moment::to_the_second;
use serde_json::json;
use std::path::PathBuf;

/// No proof is longer: a record has 64 KiB, and a key's certificate half a kilobyte.
const PROOF_BYTES_MAX: u64 = 64 << 20;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The proof, as `audit prove` printed it; `-` for standard input
    file: PathBuf,
    /// The log's first key, as `audit key` printed it then, or a file with it
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
    /// How to print: json has the whole line of the record
    #[arg(long, default_value = "human", value_parser = super::human_or_json())]
    format: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let key = arguments.key.as_deref().map(public_key).transpose()?;
    let text = read(&arguments.file)?;
    let bundle: Result<Bundle, _> = serde_json::from_str(&text);
    let proven = match bundle {
        Ok(bundle) => bundle.check(key.as_ref()).map_err(|why| why.to_string()),
        Err(why) => Err(format!("this is no proof: {why}")),
    };
    match proven {
        Ok(proven) => {
            match arguments.format.as_str() {
                "json" => table::json(&as_json(&proven))?,
                _ => tell(&proven),
            }
            Ok(Outcome::Fine)
        }
        Err(why) => {
            complain!("error: nothing is proved: {}", plain(&why));
            Ok(Outcome::Findings)
        }
    }
}

fn as_json(proven: &Proven) -> serde_json::Value {
    let head = |head: &Checkpoint| {
        json!({ "size": head.size, "root": head.root.to_string(), "time": head.time,
            "key_number": head.epoch })
    };
    json!({
        "stream": proven.stream.to_string(),
        "seq": proven.record.as_ref().map(|(seq, _)| seq),
        "line": proven.record.as_ref().map(|(_, line)| line),
        "older_head": proven.first.as_ref().map(head),
        "head": head(&proven.head),
        "first_key": proven.key.to_string(),
        "key_is_trusted": proven.is_trusted,
        "keys": proven.keys,
    })
}

/// What a record says, in one sentence; a line that is none is shown as it is.
fn sentence(line: &str) -> String {
    let Ok(record) = serde_json::from_str::<WireRecord>(line) else { return plain(line) };
    let what = listing::what(&record);
    let tool = record.tool.as_deref().unwrap_or(&record.kind);
    let about = if what.is_empty() { String::new() } else { format!(" `{what}`") };
    let decided = match record.decided() {
        Some(decision) => format!("{} {tool}{about}", decision.effect),
        None => format!("{} {tool}{about}", record.kind),
    };
    let why = match listing::why(&record) {
        why if why.is_empty() => String::new(),
        why => format!(": {why}"),
    };
    let session = record.session.as_deref().map(|session| format!(", session {session}"));
    let time = to_the_second(&record.ts);
    plain(&format!("at {time} UTC{}: {decided}{why}", session.unwrap_or_default()))
}

fn tell(proven: &Proven) {
    let Proven { stream, head, .. } = proven;
    if let Some((seq, line)) = &proven.record {
        say!("PROVED: record {seq} of the log's stream {stream} says:");
        say!("  {}", sentence(line));
        say!("  (--format json has its whole line)");
    }
    if let Some(first) = &proven.first {
        let Some(more) = head.size.checked_sub(first.size) else { return };
        say!(
            "PROVED: the head of {} records of stream {stream}, signed at {}, is the beginning of \
             that of {} records: {more} were added, none was changed or removed.",
            first.size,
            plain(&first.time),
            head.size
        );
    }
    say!(
        "It stood so when the head of {} records was signed at {} by key number {} of the log; the \
         time is that of the signer's clock.",
        head.size,
        plain(&head.time),
        head.epoch
    );
    let keys = counted(proven.keys, "key");
    match proven.is_trusted {
        true => say!("Its keys go back to the one that you gave, over {keys}."),
        false => say!(
            "Its keys go back to `{}`, over {keys}. Whether that is the log's first key only \
             somebody who kept it can say: give it with --key.",
            plain(&proven.key.to_string())
        ),
    }
}

fn read(file: &std::path::Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let told = |why: std::io::Error| format!("cannot read `{}`: {why}", file.display());
    if file.as_os_str() == "-" {
        let input = std::io::stdin().lock();
        input.take(PROOF_BYTES_MAX).read_to_string(&mut text).map_err(told)?;
    } else {
        let input = std::fs::File::open(file).map_err(told)?;
        input.take(PROOF_BYTES_MAX).read_to_string(&mut text).map_err(told)?;
    }
    Ok(text)
}
