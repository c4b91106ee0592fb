//! `toolgate audit verify`: whether the log is what was written.

use super::Directory;
use crate::audit::{Hash, Head, State, StreamId, verify};
use crate::cli::Outcome;
use crate::cli::out::{complain, say};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// A head that was kept elsewhere, as this command prints it: finds a cut-off end
    #[arg(long, value_name = "STREAM/SEQ/HASH")]
    head: Option<String>,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let directory = arguments.directory.path()?;
    let expected = arguments.head.as_deref().map(parse_head).transpose()?;
    let report = verify(&directory, expected.as_ref()).map_err(|error| error.to_string())?;
    let state = report.state();
    if arguments.format == "json" {
        say!("{}", as_json(&report));
    } else {
        human(&report, &directory);
    }
    if report.records == 0 {
        // A log that was emptied looks like one that never was.
        complain!("error: there is no record in `{}`", directory.display());
        return Ok(Outcome::Findings);
    }
    Ok(if state == State::Broken { Outcome::Findings } else { Outcome::Fine })
}

fn human(report: &crate::audit::Report, directory: &std::path::Path) {
    say!("{}", directory.display());
    for segment in &report.segments {
        say!("  {:<9} {:>8} records  {}", segment.state, segment.records, segment.file);
        if let Some(bad) = &segment.first_bad {
            say!("            line {}: {}", bad.line, bad.flaw);
        }
        if segment.torn_bytes > 0 {
            say!("            {} bytes of an unfinished record at its end", segment.torn_bytes);
        }
    }
    for gap in &report.gaps {
        say!("  records {} to {} of stream {} are missing", gap.first, gap.last, gap.stream);
    }
    for flaw in &report.flaws {
        say!("  {flaw}");
    }
    if let Some(head) = &report.head {
        say!("  head {}/{}/{}", head.stream, head.seq, head.hash);
    }
    let meaning = match report.state() {
        State::Sealed => "whole, and signed",
        State::Unsealed => {
            "whole, as far as the log itself tells; keep the head elsewhere to see a cut-off end"
        }
        State::Broken => "not what was written",
    };
    say!("{}: {meaning}", report.state());
}

fn as_json(report: &crate::audit::Report) -> serde_json::Value {
    serde_json::json!({
        "state": report.state().to_string(),
        "records": report.records,
        "head": report.head.as_ref().map(|h| format!("{}/{}/{}", h.stream, h.seq, h.hash)),
        "flaws": report.flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "gaps": report.gaps.iter().map(|gap| serde_json::json!({
            "stream": gap.stream.to_string(), "first": gap.first, "last": gap.last,
        })).collect::<Vec<_>>(),
        "segments": report.segments.iter().map(|segment| serde_json::json!({
            "file": segment.file,
            "state": segment.state.to_string(),
            "records": segment.records,
            "torn_bytes": segment.torn_bytes,
            "first_bad": segment.first_bad.as_ref().map(|bad| serde_json::json!({
                "line": bad.line, "why": bad.flaw.to_string(),
            })),
        })).collect::<Vec<_>>(),
    })
}

fn parse_head(text: &str) -> Result<Head, String> {
    let wrong = || format!("`{text}` is no head; copy the line that `audit verify` prints");
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
