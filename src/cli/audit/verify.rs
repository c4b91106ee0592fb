//! `toolgate audit verify`: whether the log is what was written.

use super::Directory;
use super::table::{counted, wrapped};
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::note::{Note, PublicKey};
use crate::audit::{
    BlobReport, Elsewhere, Hash, Head, Outside, Progress, Report, SegmentReport, SignedBy, State,
    StreamId, blob_report, false_indexes, rebuild_indexes, verify_with,
};
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget};
use serde_json::json;
use std::path::Path;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// The log's first key, as `audit key` printed it then, or a file with it: finds a log that was
    /// written anew
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
    /// A head that was kept elsewhere: a file with what `audit head` printed, or the line that this
    /// command prints; finds an end that was cut off
    #[arg(long, value_name = "STREAM/SEQ/HASH|FILE")]
    head: Vec<String>,
    /// Make the indexes of sealed files anew that are wrong or gone: nothing but speed rests on them
    #[arg(long)]
    rebuild_index: bool,
    /// How to print
    #[arg(long, default_value = "human", value_parser = super::human_or_json())]
    format: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let directory = arguments.directory.path()?;
    let elsewhere = Elsewhere {
        key: arguments.key.as_deref().map(public_key).transpose()?,
        heads: arguments.head.iter().map(|head| outside(head)).collect::<Result<_, _>>()?,
    };
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let mut show = |Progress { bytes, of, records }: Progress| {
        bar.set_length(of);
        bar.set_position(bytes);
        bar.set_message(format!("{} records, {}", HumanCount(records), HumanBytes(bytes)));
    };
    let report = verify_with(&directory, &elsewhere, &mut show);
    bar.finish_and_clear();
    let report = report.map_err(|error| error.to_string())?;
    let state = report.state();
    let texts = blob_report(&directory).map_err(|error| error.to_string())?;
    if arguments.rebuild_index {
        for file in rebuild_indexes(&directory).map_err(|error| error.to_string())? {
            complain!("the index of `{file}` is made anew");
        }
    }
    // The log itself is whole without them; but who asks it by them would be told wrong.
    let wrong = false_indexes(&directory).unwrap_or_default();
    if arguments.format == "json" {
        say!("{}", as_json(&report, &texts, &wrong));
    } else if report.records > 0 || state == State::Broken {
        human(&report, &directory, &elsewhere);
        of_texts(&texts);
    }
    for file in &wrong {
        complain!(
            "error: the index of `{file}` is not that of its lines, so queries may leave records \
             out; make it anew with --rebuild-index"
        );
    }
    if report.records == 0 {
        // A log that was emptied looks like one that never was.
        complain!("error: there is no record in `{}`", directory.display());
        return Ok(Outcome::Findings);
    }
    let is_fine = state != State::Broken && wrong.is_empty() && texts.is_fine();
    Ok(if is_fine { Outcome::Fine } else { Outcome::Findings })
}

fn human(report: &Report, directory: &Path, elsewhere: &Elsewhere) {
    let bound = super::table::bound();
    let told = |line: &str, indent| say!("{}", wrapped(line, bound, indent));
    say!("{}", directory.display());
    for segment in &report.segments {
        of_segment(segment);
    }
    for gap in &report.gaps {
        match gap.first == gap.last {
            true => say!("  record {} of stream {} is missing", gap.first, gap.stream),
            false => {
                say!(
                    "  records {} to {} of stream {} are missing",
                    gap.first,
                    gap.last,
                    gap.stream
                );
            }
        }
    }
    for flaw in &report.flaws {
        say!("  {}", plain(&flaw.to_string()));
    }
    if let Some(head) = &report.head {
        say!("  head {}/{}/{}", head.stream, head.seq, head.hash);
    }
    if let Some(SignedBy { first, is_trusted, keys, newest }) = &report.signed {
        say!("  signed at {}{}", plain(newest), age(newest).unwrap_or_default());
        let whose = match is_trusted {
            true => "the key that you gave",
            false => "the key that the log itself holds; --key says whose it is",
        };
        let keys = counted(*keys, "key");
        told(&format!("  by {keys}, from `{}` on: {whose}", plain(&first.to_string())), 4);
    }
    let is_whole = report.state() != State::Broken;
    for head in elsewhere.heads.iter().filter(|_| is_whole) {
        told(&format!("  {}", reached(head, report)), 4);
    }
    let has_heads = !elsewhere.heads.is_empty();
    let meaning = match report.state() {
        State::Sealed if has_heads => "whole, and signed to its end",
        State::Sealed => {
            "whole, and signed to its end; a head kept elsewhere (--head) shows whether that end \
             was cut off"
        }
        State::Unsealed if has_heads => "whole, but its end is not signed, or not yet",
        State::Unsealed if report.signed.is_none() => {
            "whole, as far as the log itself tells; keep the head elsewhere to see a cut-off end"
        }
        State::Unsealed => "whole, but its end is not signed, or not yet",
        State::Broken => "not what was written",
    };
    told(&format!("{}: {meaning}", report.state()), 2);
}

/// That nothing was cut off before a head that was kept elsewhere.
fn reached(head: &Outside, report: &Report) -> String {
    let (stream, size) = match head {
        Outside::Place(head) => (&head.stream, head.seq),
        Outside::Signed(head, _) => (&head.stream, head.size),
    };
    let behind = match report.head.as_ref().filter(|newest| newest.stream == *stream) {
        Some(newest) => match newest.seq.saturating_sub(size) {
            0 => "it is the newest".to_owned(),
            more => format!("{} came after it", counted(more, "record")),
        },
        None => "other streams came after it".to_owned(),
    };
    format!(
        "the head that you kept is in the log: nothing up to record {size} of stream {stream} was \
         changed or cut off; {behind}"
    )
}

fn of_segment(segment: &SegmentReport) {
    say!("  {:<9} {:>8} records  {}", segment.state, segment.records, segment.file);
    if let Some(bad) = &segment.first_bad {
        say!("            line {}: {}", bad.line, plain(&bad.flaw.to_string()));
    }
    if segment.uncovered > 0 {
        match segment.uncovered {
            1 => say!("            1 of them is covered by no signed head"),
            more => say!("            {more} of them are covered by no signed head"),
        }
    }
    if segment.torn_bytes > 0 {
        say!("            {} bytes of an unfinished record at its end", segment.torn_bytes);
    }
}

/// The texts that are kept beside the log: none may be gone or changed without a word. The chain
/// holds either way, and says which they were.
fn of_texts(report: &BlobReport) {
    let BlobReport { named, erased, missing, changed, undone, unnamed } = report;
    if *named > 0 {
        let named = counted(u64::try_from(*named).unwrap_or(u64::MAX), "long text");
        say!("  {named} beside the log, {erased} of them erased as the log says");
    }
    for (name, seq) in missing {
        say!("  the text {name} of record {seq} is gone, and no record says that it was erased");
    }
    for (name, seq) in changed {
        say!("  the text {name} of record {seq} is not what was kept");
    }
    for name in undone {
        say!("  the text {name} is still there though it was erased; erase it once more");
    }
    if *unnamed > 0 {
        let unnamed = counted(u64::try_from(*unnamed).unwrap_or(u64::MAX), "text");
        say!("  {unnamed} that no record names, as a crash leaves it");
    }
}

fn texts_as_json(report: &BlobReport) -> serde_json::Value {
    let of = |texts: &[(Hash, u64)]| -> Vec<serde_json::Value> {
        let one = |(name, seq): &(Hash, u64)| json!({ "sha256": name.to_string(), "seq": seq });
        texts.iter().map(one).collect()
    };
    json!({
        "named": report.named,
        "erased": report.erased,
        "missing": of(&report.missing),
        "changed": of(&report.changed),
        "undone": report.undone.iter().map(Hash::to_string).collect::<Vec<_>>(),
        "unnamed": report.unnamed,
    })
}

/// How long ago that was, if the clocks agree that it was.
fn age(time: &str) -> Option<String> {
    let seconds = seconds_since(time)?;
    Some(match seconds {
        0..120 => format!(", {seconds} s ago"),
        120..7_200 => format!(", {} min ago", seconds / 60),
        7_200..172_800 => format!(", {} h ago", seconds / 3_600),
        _ => format!(", {} days ago", seconds / 86_400),
    })
}

fn seconds_since(time: &str) -> Option<u64> {
    let then: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(jiff::Timestamp::now().as_second() - then.as_second()).ok()
}

fn as_json(report: &Report, texts: &BlobReport, indexes: &[String]) -> serde_json::Value {
    serde_json::json!({
        "texts": texts_as_json(texts),
        "false_indexes": indexes,
        "state": report.state().to_string(),
        "records": report.records,
        "uncovered": report.uncovered(),
        "head": report.head.as_ref().map(|h| format!("{}/{}/{}", h.stream, h.seq, h.hash)),
        "signed": report.signed.as_ref().map(|signed| serde_json::json!({
            "first_key": signed.first.to_string(),
            "key_is_trusted": signed.is_trusted,
            "keys": signed.keys,
            "newest_head": signed.newest,
            "newest_head_age_seconds": seconds_since(&signed.newest),
        })),
        "flaws": report.flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "gaps": report.gaps.iter().map(|gap| serde_json::json!({
            "stream": gap.stream.to_string(), "first": gap.first, "last": gap.last,
        })).collect::<Vec<_>>(),
        "segments": report.segments.iter().map(|segment| serde_json::json!({
            "file": segment.file,
            "state": segment.state.to_string(),
            "records": segment.records,
            "uncovered": segment.uncovered,
            "torn_bytes": segment.torn_bytes,
            "first_bad": segment.first_bad.as_ref().map(|bad| serde_json::json!({
                "line": bad.line, "why": bad.flaw.to_string(),
            })),
        })).collect::<Vec<_>>(),
    })
}

/// A key's text, or a file that holds one.
pub(super) fn public_key(text: &str) -> Result<PublicKey, String> {
    if let Some(key) = PublicKey::parse(text) {
        return Ok(key);
    }
    let told = |why: &dyn std::fmt::Display| {
        format!("`{text}` is neither a key nor a file with one ({why}); `audit key` prints it")
    };
    let file = std::fs::read_to_string(text).map_err(|why| told(&why))?;
    PublicKey::parse(file.trim_end()).ok_or_else(|| told(&"the file holds something else"))
}

fn outside(text: &str) -> Result<Outside, String> {
    if !Path::new(text).exists() {
        return parse_head(text).map(Outside::Place);
    }
    signed_head(Path::new(text)).map(|(head, note)| Outside::Signed(head, note))
}

/// A file with a signed head. Whether its signature holds, only the log's keys tell.
pub(super) fn signed_head(file: &Path) -> Result<(Checkpoint, Note), String> {
    let text = std::fs::read_to_string(file)
        .map_err(|why| format!("cannot read `{}`: {why}", file.display()))?;
    let note = Note::parse(&text).map_err(|why| format!("`{}`: {why}", file.display()))?;
    match Checkpoint::parse(note.text()) {
        Some(head) => Ok((head, note)),
        None => Err(format!("`{}` is a signed note, but no head of a log", file.display())),
    }
}

fn parse_head(text: &str) -> Result<Head, String> {
    let wrong = || {
        format!(
            "`{text}` is neither a head nor a file with one; `audit head` prints one for a file, \
             and `audit verify` one as a line"
        )
    };
    let mut parts = text.split('/');
    let (Some(stream), Some(seq), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    Ok(Head {
        stream: StreamId::parse(stream).ok_or_else(wrong)?,
        seq: seq.parse().map_err(|_| wrong())?,
        hash: Hash::parse(hash).ok_or_else(wrong)?,
    })
}
