//! The lines of a block that fit, on their way to become records. Reading a record whole costs far
//! more than finding it: where there are many, several threads read them.

use super::row::Row;
use super::scan::{Line, Take};
use crate::audit::read::{Entry, Unreadable};
use std::sync::LazyLock;

/// Fewer lines than these for each thread are not worth beginning one.
const LINES_MIN: usize = 32;
/// Threads beyond these would wait for whoever takes the records.
const THREADS_MAX: usize = 4;

static THREADS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX));

/// The lines of one block that fit.
pub(super) struct Hits<'a> {
    file: &'a str,
    /// Lines before the block, if that is known.
    before: Option<u64>,
    found: Vec<Hit>,
}

/// One line: its number, and its text or what is wrong with it.
struct Hit {
    line: u64,
    text: Result<Vec<u8>, String>,
}

impl<'a> Hits<'a> {
    pub(super) fn of(file: &'a str, before: Option<u64>) -> Hits<'a> {
        Hits { file, before, found: Vec::new() }
    }

    /// Reads them, in their order.
    pub(super) fn read(self) -> Vec<Result<Entry, Unreadable>> {
        let Hits { file, mut found, .. } = self;
        let share = found.len().div_ceil(*THREADS).max(LINES_MIN);
        if found.len() <= share {
            return read(found, file);
        }
        std::thread::scope(|scope| {
            let mut others = Vec::new();
            while found.len() > share {
                let part = found.split_off(found.len() - share);
                others.push(scope.spawn(move || read(part, file)));
            }
            let mut all = read(found, file);
            for other in others.into_iter().rev() {
                match other.join() {
                    Ok(part) => all.extend(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all
        })
    }

    fn number(&self, line: Line<'_>) -> u64 {
        let at = u64::try_from(line.at).unwrap_or(u64::MAX);
        self.before.map_or(0, |before| before.saturating_add(at).saturating_add(1))
    }
}

impl Take for Hits<'_> {
    fn hit(&mut self, line: Line<'_>, _: &Row<'_>) {
        let (line, text) = (self.number(line), line.text.to_vec());
        self.found.push(Hit { line, text: Ok(text) });
    }

    fn odd(&mut self, line: Line<'_>, why: String) {
        let line = self.number(line);
        self.found.push(Hit { line, text: Err(why) });
    }
}

fn read(hits: Vec<Hit>, file: &str) -> Vec<Result<Entry, Unreadable>> {
    let one = |Hit { line, text }| {
        let file = file.to_owned();
        match text.and_then(record) {
            Ok((record, text)) => Ok(Entry { record, text, file, line }),
            Err(why) => Err(Unreadable { file, line, why }),
        }
    };
    hits.into_iter().map(one).collect()
}

fn record(text: Vec<u8>) -> Result<(crate::audit::wire::WireRecord, String), String> {
    let text = String::from_utf8(text).map_err(|why| why.to_string())?;
    let record =
        serde_json::from_str(&text).map_err(|why| format!("the line is no record: {why}"))?;
    Ok((record, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_read_in_their_order() {
        for count in [0, 1, LINES_MIN, LINES_MIN + 1, 5 * LINES_MIN, 331] {
            let mut hits = Hits::of("file", Some(7));
            for at in 0..count {
                let text = format!(r#"{{"v":1,"seq":{at},"kind":"k","prev":""}}"#);
                let text = if at == 5 { "{" } else { &text };
                hits.hit(Line { at, text: text.as_bytes() }, &Row::of_nothing(b""));
            }
            let found = hits.read();
            assert_eq!(found.len(), count);
            for (at, one) in (0_u64..).zip(&found) {
                match one {
                    Ok(entry) => assert_eq!((entry.record.seq, entry.line), (at, at + 8)),
                    Err(bad) => assert_eq!((5, bad.line), (at, 13)),
                }
            }
        }
    }
}
