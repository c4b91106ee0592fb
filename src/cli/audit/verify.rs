//! `toolgate audit verify`: whether the log is what was written.

use super::Directory;
use super::table::{counted, wrapped};
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::note::{Note, PublicKey};
use crate::audit::{
    BlobReport, Elsewhere, Hash, Head, KEY_FILE, Outside, Progress, Report, SegmentReport,
    SignedBy, State, StreamId, blob_report, false_indexes, rebuild_indexes, verify_with,
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
    /// Make the indexes of sealed files anew that are wrong or gone: only speed rests on them
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
        heads: outsides(&arguments.head)?,
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
    let texts = blob_report(&directory, &report).map_err(|error| error.to_string())?;
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
        let last = last_line(&report, &texts, &wrong, !elsewhere.heads.is_empty());
        say!("{}", wrapped(&last, super::table::bound(), 2));
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
        if directory.join(KEY_FILE).exists() {
            complain!("a key that signed a log lies there: somebody took the log away");
        }
        return Ok(Outcome::Findings);
    }
    let is_fine = state != State::Broken && wrong.is_empty() && texts.is_fine();
    Ok(if is_fine { Outcome::Fine } else { Outcome::Findings })
}

fn human(report: &Report, directory: &Path, elsewhere: &Elsewhere) {
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
}

/// A line, in as many as the terminal needs.
fn told(line: &str, indent: usize) {
    let bound = super::table::bound();
    say!("{}", wrapped(line, bound, indent));
}

/// What it all comes to. Nobody who reads only this may take it for better than it is.
fn last_line(report: &Report, texts: &BlobReport, wrong: &[String], has_heads: bool) -> String {
    let state = report.state();
    let mut besides = Vec::new();
    if !texts.is_fine() {
        besides.push("texts beside it are gone or changed");
    }
    if !wrong.is_empty() {
        besides.push("indexes are false, so that queries leave records out");
    }
    let meaning = match state {
        State::Sealed if has_heads => "whole, and signed to its end",
        State::Sealed => {
            "whole, and signed to its end; a head kept elsewhere (--head) shows whether that end \
             was cut off"
        }
        State::Unsealed if has_heads => "whole, but its end is not signed, or not yet",
        State::Unsealed if report.signed.is_none() => {
            "whole, as far as the log itself tells; keep the head elsewhere to see a cut-off end"
        }
        State::Unsealed if report.on_trust() > 0 => {
            "whole, but nobody vouches for what a start took on trust: a crash leaves a second's \
             worth of it; what is more, or where nothing crashed, somebody may have written there"
        }
        State::Unsealed => "whole, but its end is not signed, or not yet",
        State::Broken => "not what was written",
    };
    match besides.as_slice() {
        [] => format!("{state}: {meaning}"),
        besides => format!("{state}, but {}: the records are {meaning}", besides.join(", and ")),
    }
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
    if segment.on_trust > 0 {
        say!(
            "            {} of them a start found unsigned and took on trust, as after a crash",
            segment.on_trust
        );
    }
    if segment.torn_bytes > 0 {
        say!("            {} bytes of an unfinished record at its end", segment.torn_bytes);
    }
}

/// The texts that are kept beside the log: none may be gone or changed without a word. The chain
/// holds either way, and says which they were.
fn of_texts(report: &BlobReport) {
    let BlobReport { named, erased, missing, hearsay, open, changed, undone, unnamed } = report;
    if *named > 0 {
        let named = counted(u64::try_from(*named).unwrap_or(u64::MAX), "long text");
        say!("  {named} beside the log, {erased} of them erased as the log says");
    }
    for (name, seq) in missing {
        say!("  the text {name} of record {seq} is gone, and no record says that it was erased");
    }
    for (name, seq) in hearsay {
        say!(
            "  the text {name} of record {seq} is gone, and only a record says that it was erased \
             which no head covered while it was written"
        );
    }
    if *open > 0 {
        say!(
            "  {open} texts of the newest records are not here: a copy that was made while the log \
             was written lacks them"
        );
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
        "hearsay": of(&report.hearsay),
        "open": report.open,
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
        "on_trust": report.on_trust(),
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
            "on_trust": segment.on_trust,
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

fn outsides(texts: &[String]) -> Result<Vec<Outside>, String> {
    let mut heads = Vec::new();
    for text in texts {
        if Path::new(text).exists() {
            let signed = signed_heads(Path::new(text))?.into_iter();
            heads.extend(signed.map(|(head, note)| Outside::Signed(head, note)));
        } else {
            heads.push(Outside::Place(parse_head(text)?));
        }
    }
    Ok(heads)
}

/// A file with signed heads: one, or all that were kept behind each other. Whether their
/// signatures hold, only the log's keys tell.
pub(super) fn signed_heads(file: &Path) -> Result<Vec<(Checkpoint, Note)>, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|why| format!("cannot read `{}`: {why}", file.display()))?;
    let (notes, rest) = in_parts(&text);
    let parsed = |note: &String| {
        let note = Note::parse(note).map_err(|why| format!("`{}`: {why}", file.display()))?;
        match Checkpoint::parse(note.text()) {
            Some(head) => Ok((head, note)),
            None => Err(format!("`{}` is a signed note, but no head of a log", file.display())),
        }
    };
    if notes.is_empty() {
        // It says what is wrong with it.
        return parsed(&text).map(|head| vec![head]);
    }
    if !rest.trim().is_empty() {
        complain!("warning: the last head in `{}` is cut off, and not used", file.display());
    }
    notes.iter().map(parsed).collect()
}

/// The notes of a file, each up to the end of its signatures, and what stands behind the last.
fn in_parts(text: &str) -> (Vec<String>, String) {
    let (mut notes, mut part) = (Vec::new(), String::new());
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        // Between two of them stands an empty line.
        if part.is_empty() && line == "\n" {
            continue;
        }
        part.push_str(line);
        let is_signature = line.starts_with('\u{2014}') && line.ends_with('\n');
        if is_signature && !lines.peek().is_some_and(|next| next.starts_with('\u{2014}')) {
            notes.push(std::mem::take(&mut part));
        }
    }
    (notes, part)
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

#[cfg(test)]
mod tests {
    use super::in_parts;

    #[test]
    fn heads_behind_each_other_are_told_apart() {
        let one = "toolgate/a\n1\nroot\n\n\u{2014} a b\n";
        let two = "toolgate/a\n2\nroot\n\n\u{2014} a b\n\u{2014} c d\n";
        for (text, notes, rest) in [
            (one.to_owned(), vec![one], ""),
            (format!("{one}\n{two}\n"), vec![one, two], ""),
            (format!("{one}{two}"), vec![one, two], ""),
            (format!("{one}\ntoolgate/a\n2"), vec![one], "toolgate/a\n2"),
            (
                format!("{one}\ntoolgate/a\n2\n\n\u{2014} a"),
                vec![one],
                "toolgate/a\n2\n\n\u{2014} a",
            ),
            (String::new(), vec![], ""),
        ] {
            let (found, left) = in_parts(&text);
            assert_eq!(
                (found, left.as_str()),
                (notes.iter().map(|n| (*n).to_owned()).collect(), rest)
            );
        }
    }
}
