//! Finding a decision by what a person has in hand: an id, or a place.

use crate::audit::Entry;
use crate::audit::wire::WireRecord;
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

    /// A text that stands in each line that can be meant: finding it costs less than reading.
    #[must_use]
    pub fn needle(&self) -> String {
        match self {
            // As it stands in JSON, without its quotes.
            Wanted::Id(id) => {
                let json = serde_json::Value::String(id.clone()).to_string();
                json.trim_matches('"').to_owned()
            }
            Wanted::Seq(seq) | Wanted::Place(_, seq) => format!("\"seq\":{seq},"),
        }
    }
}

impl Found {
    /// Looks through entries for what is wanted, and once more for the rest of its call. `entries`
    /// gives those whose line holds a text, anew each time.
    pub fn of<I: Iterator<Item = Entry>>(
        wanted: &Wanted,
        mut entries: impl FnMut(&str) -> Result<I, String>,
    ) -> Result<Option<Found>, String> {
        let named = |entry: &Entry| wanted.is(&entry.record);
        let hits: Vec<Entry> = entries(&wanted.needle())?.filter(named).collect();
        let Some(main) = main_of(wanted, &hits) else { return Ok(None) };
        let call = main.record.call.clone();
        let others = match (&call, wanted) {
            (None, _) => Vec::new(),
            (Some(call), Wanted::Id(id)) if id == call => hits,
            (Some(call), _) => {
                let needle = Wanted::Id(call.clone()).needle();
                entries(&needle)?.filter(|entry| entry.record.call.as_ref() == Some(call)).collect()
            }
        };
        let is_other = |entry: &Entry| (&entry.file, entry.line) != (&main.file, main.line);
        let others = others.into_iter().filter(is_other).collect();
        Ok(Some(Found { main, others }))
    }
}

/// Of the records of a call, the decision before it ran; of a place, the newest.
fn main_of(wanted: &Wanted, hits: &[Entry]) -> Option<Entry> {
    let found = match wanted {
        Wanted::Seq(_) | Wanted::Place(..) => hits.last(),
        Wanted::Id(_) => {
            let pre = hits.iter().find(|entry| entry.record.kind == Kind::ToolPre.as_str());
            let decided = || hits.iter().find(|entry| entry.record.decision.is_some());
            pre.or_else(decided).or_else(|| hits.first())
        }
    };
    found.cloned()
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
