//! Finding a decision by what a person has in hand: an id, or a place.

use crate::audit::query::{Field, Filter, Order, Source};
use crate::audit::wire::WireRecord;
use crate::audit::{AuditError, Entry, Unreadable};
use crate::model::record::Kind;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Our id of a call, or the runtime's.
    Id(String),
    /// A number, of whichever stream; the newest record of that number.
    Seq(u64),
    /// A stream and a number.
    Place(String, u64),
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The record that was named; of a call, its decision.
    pub main: Entry,
    /// The other records of the call, oldest first.
    pub others: Vec<Entry>,
}

impl Wanted {
    /// Reads what somebody gave: an id, `SEQ` or `STREAM/SEQ`.
    #[must_use]
    pub fn parse(text: &str) -> Wanted {
        if let Ok(seq) = text.parse() {
            return Wanted::Seq(seq);
        }
        let place =
            text.rsplit_once('/').and_then(|(stream, seq)| Some((stream, seq.parse().ok()?)));
        match place {
            Some((stream, seq)) => Wanted::Place(stream.to_owned(), seq),
            None => Wanted::Id(text.to_owned()),
        }
    }

    /// Whether a record is named so.
    #[must_use]
    pub fn is(&self, record: &WireRecord) -> bool {
        match self {
            Wanted::Id(id) => {
                record.call.as_ref() == Some(id) || record.tool_use_id.as_ref() == Some(id)
            }
            Wanted::Seq(seq) => record.seq == *seq,
            Wanted::Place(stream, seq) => record.seq == *seq && record.stream == *stream,
        }
    }
}

impl Found {
    /// Looks for what is wanted, and for the rest of its call; `told` gets what cannot be read.
    ///
    /// # Errors
    /// If the log cannot be read at all.
    pub fn of(
        wanted: &Wanted,
        log: &Source,
        mut told: impl FnMut(&Unreadable),
    ) -> Result<Option<Found>, AuditError> {
        let mut hits = Vec::new();
        let main = match wanted {
            Wanted::Seq(seq) => log.numbered(None, *seq)?,
            Wanted::Place(stream, seq) => log.numbered(Some(stream), *seq)?,
            Wanted::Id(id) => {
                hits = of_call(log, id, &mut told)?;
                hits.retain(|entry| wanted.is(&entry.record));
                main_of(&hits)
            }
        };
        let Some(main) = main else { return Ok(None) };
        let call = main.record.call.clone();
        let mut others = match (&call, wanted) {
            (None, _) => Vec::new(),
            (Some(call), Wanted::Id(id)) if id == call => hits,
            (Some(call), _) => of_call(log, call, &mut told)?,
        };
        others.retain(|entry| {
            (&entry.file, entry.line) != (&main.file, main.line)
                && (entry.record.call == call || wanted.is(&entry.record))
        });
        Ok(Some(Found { main, others }))
    }
}

/// The records of a call, by either of its ids, oldest first.
fn of_call(
    log: &Source,
    id: &str,
    told: &mut impl FnMut(&Unreadable),
) -> Result<Vec<Entry>, AuditError> {
    let rows = log.rows(&Filter::default().with(Field::Call, id), Order::OldestFirst)?;
    let named = |entry: &Entry| {
        [&entry.record.call, &entry.record.tool_use_id].into_iter().flatten().any(|one| one == id)
    };
    let read = rows.filter_map(|row| row.inspect_err(&mut *told).ok());
    Ok(read.filter(named).collect())
}

/// Of the records of a call, the decision before it ran.
fn main_of(hits: &[Entry]) -> Option<Entry> {
    let pre = hits.iter().find(|entry| entry.record.kind == Kind::ToolPre.as_str());
    let decided = || hits.iter().find(|entry| entry.record.decision.is_some());
    pre.or_else(decided).or_else(|| hits.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_give() {
        for (text, wanted) in [
            ("17", Wanted::Seq(17)),
            ("stream-a/17", Wanted::Place("stream-a".to_owned(), 17)),
            ("toolu_01", Wanted::Id("toolu_01".to_owned())),
            ("a/b", Wanted::Id("a/b".to_owned())),
            ("", Wanted::Id(String::new())),
        ] {
            assert_eq!(Wanted::parse(text), wanted);
        }
    }
}
