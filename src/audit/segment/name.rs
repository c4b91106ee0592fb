//! The names of the log's files, and their order.
//!
//! `toolgate-<stream>-<number>.jsonl`, and other ends for other forms; the number counts over all
//! streams of the directory, so that the order of the files never rests on a clock.

use crate::audit::error::AuditError;
use crate::audit::place::StreamId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How often a directory is read again when it changed while it was read. It changes at most a few
/// times an hour.
const LISTINGS_MAX: usize = 8;

/// No log leaves out so many numbers: each file has the next one, and leaves at least what
/// retention keeps of it.
const JUMP_MAX: u64 = 1_000_000;

/// How the lines of a file are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::audit) enum Form {
    /// As they were written (`.jsonl`).
    Plain,
    /// Compressed (`.jsonl.zst`).
    Sealed,
    /// Deleted by retention, but for what the proofs need (`.kept`).
    Kept,
}

/// The name of one file of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::audit) struct SegmentName {
    /// Its place among all files of the directory.
    pub(in crate::audit) number: u64,
    /// The stream whose records it holds.
    pub(in crate::audit) stream: StreamId,
    /// How it holds them.
    pub(in crate::audit) form: Form,
}

impl Form {
    const ALL: [Form; 3] = [Form::Plain, Form::Sealed, Form::Kept];

    fn end(self) -> &'static str {
        match self {
            Form::Plain => "jsonl",
            Form::Sealed => "jsonl.zst",
            Form::Kept => "kept",
        }
    }
}

impl SegmentName {
    /// A file as it is written.
    pub(in crate::audit) fn plain(number: u64, stream: StreamId) -> SegmentName {
        SegmentName { number, stream, form: Form::Plain }
    }

    /// Reads a file's name; nothing if it is no segment.
    pub(in crate::audit) fn parse(name: &str) -> Option<SegmentName> {
        let (stem, end) = name.split_once('.')?;
        let form = Form::ALL.into_iter().find(|form| form.end() == end)?;
        let (stream, number) = stem.strip_prefix("toolgate-")?.rsplit_once('-')?;
        let stream = StreamId::parse(stream)?;
        let segment = SegmentName { number: number.parse().ok()?, stream, form };
        (segment.to_string() == name).then_some(segment)
    }

    /// The same file in another form.
    pub(in crate::audit) fn as_form(&self, form: Form) -> SegmentName {
        SegmentName { form, ..self.clone() }
    }

    /// Its name without its end.
    pub(in crate::audit) fn stem(&self) -> String {
        format!("toolgate-{}-{:06}", self.stream, self.number)
    }

    /// Where it is.
    pub(in crate::audit) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.to_string())
    }

    /// Where its index is, if it has one: only sealed files have.
    pub(in crate::audit) fn index_path(&self, dir: &Path) -> PathBuf {
        dir.join(self.index_name())
    }

    /// The name of that.
    pub(in crate::audit) fn index_name(&self) -> String {
        format!("{}.idx", self.stem())
    }
}

impl std::fmt::Display for SegmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.stem(), self.form.end())
    }
}

/// The segments of a directory, oldest first, each in the form that counts: plain before sealed,
/// since then sealing did not end; and either before what retention keeps.
pub(in crate::audit) fn list(dir: &Path) -> Result<Vec<SegmentName>, AuditError> {
    // A file that changes its form while the directory is read may be seen in neither.
    let mut before = list_once(dir)?;
    for _ in 0..LISTINGS_MAX {
        let again = list_once(dir)?;
        if again == before {
            break;
        }
        before = again;
    }
    Ok(before)
}

/// Files with such a name and a number that the log cannot have come to: somebody put them there.
/// They are no part of it, so that they cannot use up its numbers.
pub(in crate::audit) fn strangers(dir: &Path) -> Result<Vec<SegmentName>, AuditError> {
    Ok(named(dir)?.1)
}

/// All files with such a name, by their numbers: those of the log, and strangers.
fn named(dir: &Path) -> Result<(Vec<SegmentName>, Vec<SegmentName>), AuditError> {
    let entries = std::fs::read_dir(dir).map_err(AuditError::file("read", dir))?;
    let mut named = Vec::new();
    for entry in entries {
        let name = entry.map_err(AuditError::file("read", dir))?.file_name();
        named.extend(name.to_str().and_then(SegmentName::parse));
    }
    named.sort();
    let mut last = 0;
    let ours = named.iter().take_while(|one| {
        let before = std::mem::replace(&mut last, one.number);
        one.number.saturating_sub(before) <= JUMP_MAX
    });
    let ours = ours.count();
    let strangers = named.split_off(ours);
    Ok((named, strangers))
}

fn list_once(dir: &Path) -> Result<Vec<SegmentName>, AuditError> {
    let mut segments: BTreeMap<(u64, StreamId), SegmentName> = BTreeMap::new();
    for segment in named(dir)?.0 {
        let place = (segment.number, segment.stream.clone());
        let counts = segments.entry(place).or_insert_with(|| segment.clone());
        if segment.form < counts.form {
            *counts = segment;
        }
    }
    Ok(segments.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling_and_sort_by_number() {
        for (form, end) in Form::ALL.into_iter().zip([".jsonl", ".jsonl.zst", ".kept"]) {
            let segment = SegmentName { number: 7, stream: StreamId::generate(), form };
            let name = segment.to_string();
            assert!(name.ends_with(&format!("-000007{end}")));
            assert_eq!(SegmentName::parse(&name), Some(segment.clone()));
            for other in [
                name.replace("-000007", "-7"),
                format!("{name}.torn"),
                name.get(1..).unwrap().into(),
            ] {
                assert_eq!(SegmentName::parse(&other), None, "{other}");
            }
            let later = SegmentName { number: 1_000_000, stream: StreamId::generate(), form };
            assert_eq!(SegmentName::parse(&later.to_string()), Some(later.clone()));
            assert!(segment < later);
        }
    }

    #[test]
    fn of_two_forms_the_one_nearer_to_what_was_written_counts() {
        let dir = tempfile::tempdir().unwrap();
        let plain = SegmentName::plain(3, StreamId::generate());
        let there = |forms: &[Form]| {
            for form in forms {
                std::fs::write(plain.as_form(*form).path(dir.path()), "").unwrap();
            }
            list(dir.path()).unwrap()
        };
        assert_eq!(there(&[Form::Kept]), [plain.as_form(Form::Kept)]);
        assert_eq!(there(&[Form::Sealed]), [plain.as_form(Form::Sealed)]);
        assert_eq!(there(&[Form::Plain]), std::slice::from_ref(&plain));
        std::fs::write(dir.path().join(format!("{}.idx", plain.stem())), "").unwrap();
        std::fs::write(dir.path().join(format!("{plain}.zst.tmp")), "").unwrap();
        assert_eq!(list(dir.path()).unwrap(), [plain]);
    }
}
