//! Finding a record, and all that is known of it.

use super::super::Asked;
use super::super::table::record;
use crate::audit::Entry;
use crate::audit::wire::WireRecord;
use crate::review::decision::{
    Again, Asker, DecisionView, Found, InLog, ProofView, Prover, Sources, Wanted,
};
use crate::review::policies::{KeptPolicies, KeptPolicy, Policies, Texts};
use crate::review::web::Web;
use crate::review::web::board::State as Read;
use crate::review::web::link::Filter;
use crate::review::web::rows::{Field, hash};
use crate::review::web::select::{Test, newest};

/// A record at its place.
type At = (u64, u64);

/// Records of one call that are read; a call has a handful.
const SIBLINGS: usize = 200;
/// Policies that are looked for.
const LOADS: usize = 200;

/// The record that is asked for, and the addresses of what belongs to it.
pub(super) fn view(asked: &Asked<'_>, read: &Read) -> Option<(DecisionView, Vec<String>)> {
    let main = wanted(asked, read)?;
    let (entry, at) = main;
    let mut all = match entry.record.call.clone() {
        Some(call) => of_call(asked.web, read, &call),
        None => Vec::new(),
    };
    all.retain(|(_, other)| *other != at);
    let hrefs =
        all.iter().map(|(_, (file, offset))| format!("/record?at={file}.{offset}")).collect();
    let others = all.into_iter().map(|(entry, _)| entry).collect();
    // To prove is to read the whole stream: only who asks for it waits for that.
    let in_log = InLog(asked.web.board.files.dir());
    let prover: &dyn Prover = match asked.parameter("prove") {
        Some(_) => &in_log,
        None => &Unproven,
    };
    let sources = Sources {
        policies: &policies(asked, read),
        kept: &KeptPolicies::of(OfFiles(asked.web)),
        asker: &Current(asked.web),
        prover,
    };
    Some((DecisionView::of(Found { main: entry, others }, &sources), hrefs))
}

/// What a record is called on the command line.
pub(super) fn id(record: &WireRecord) -> String {
    match &record.call {
        Some(call) if !call.is_empty() => call.clone(),
        _ => format!("{}/{}", record.stream, record.seq),
    }
}

/// The record itself: by its place in a file, by its call, or by its number.
fn wanted(asked: &Asked<'_>, read: &Read) -> Option<(Entry, At)> {
    if let Some((file, offset)) = asked.parameter("at").and_then(|at| at.split_once('.')) {
        return entry(asked.web, read, (file.parse().ok()?, offset.parse().ok()?));
    }
    let id = asked.parameter("id")?;
    match Wanted::parse(id) {
        Wanted::Id(call) => {
            let all = of_call(asked.web, read, &call);
            let decides = |(entry, _): &&(Entry, At)| entry.record.kind == "tool.pre";
            all.iter().find(decides).or(all.first()).cloned()
        }
        Wanted::Seq(seq) => by_number(asked.web, read, seq, None),
        Wanted::Place(stream, seq) => by_number(asked.web, read, seq, Some(&stream)),
    }
}

fn entry(web: &Web, read: &Read, (file, offset): At) -> Option<(Entry, At)> {
    let part = read.files.iter().find(|part| part.number == file)?;
    // Only where a line begins: anything else could be made to look like a record.
    let row = part.rows.offset.binary_search(&offset).ok()?;
    let (record, text) = record(web, &part.file, offset)?;
    let line = u64::try_from(row).unwrap_or_default() + 1;
    let file_name = part.file.name();
    Some((Entry { record, text, file: file_name, line }, (file, offset)))
}

/// The records of a call, oldest first.
fn of_call(web: &Web, read: &Read, call: &str) -> Vec<(Entry, At)> {
    let wanted = hash(call);
    let mut found = Vec::new();
    for part in &read.files {
        let rows = part.rows.call.iter().enumerate().filter(|(_, one)| **one == wanted);
        for (row, _) in rows.take(SIBLINGS) {
            let Some(offset) = part.rows.offset.get(row).copied() else { continue };
            found.extend(
                entry(web, read, (part.number, offset))
                    .filter(|(entry, _)| entry.record.call.as_deref() == Some(call)),
            );
        }
    }
    found
}

/// A record by its number: rows stand in the order of numbers, with none left out but unreadable
/// ones, so it is near where it would be.
fn by_number(web: &Web, read: &Read, seq: u64, stream: Option<&str>) -> Option<(Entry, At)> {
    for part in read.files.iter().rev() {
        let at = |row: usize| {
            let offset = part.rows.offset.get(row).copied()?;
            entry(web, read, (part.number, offset))
        };
        let Some((first, _)) = at(0) else { continue };
        if stream.is_some_and(|stream| first.record.stream != stream) || first.record.seq > seq {
            continue;
        }
        let guess = usize::try_from(seq - first.record.seq).unwrap_or(usize::MAX);
        let mut low = 0;
        let mut high = guess.min(part.rows.len().saturating_sub(1));
        while low <= high {
            let middle = high;
            let (found, place) = at(middle)?;
            match found.record.seq.cmp(&seq) {
                std::cmp::Ordering::Equal => return Some((found, place)),
                std::cmp::Ordering::Less => break,
                std::cmp::Ordering::Greater => {
                    // Unreadable lines have numbers and no rows.
                    let far = usize::try_from(found.record.seq - seq).unwrap_or(usize::MAX);
                    high = high.checked_sub(far.max(1))?;
                    low = 0;
                }
            }
        }
    }
    None
}

/// The policies that the log tells of.
fn policies(asked: &Asked<'_>, read: &Read) -> Policies {
    let filter = Filter::default().toggled(Field::Kind, "policy.load");
    let test = Test::of(&filter, read, asked.now);
    let mut loads: Vec<WireRecord> = newest(read, &test, None)
        .take(LOADS)
        .filter_map(|(part, row)| record(asked.web, &part.file, *part.rows.offset.get(row)?))
        .map(|(record, _)| record)
        .collect();
    loads.reverse();
    let mut policies = Policies::default();
    loads.iter().for_each(|record| policies.take(record));
    policies
}

/// Asks the policy in force.
struct Current<'a>(&'a Web);

impl Asker for Current<'_> {
    fn then(&self, _: &WireRecord, _: &KeptPolicy) -> Again {
        Again::untold("the policy of then is not asked here".to_owned())
    }

    fn now(&self, record: &WireRecord) -> Again {
        self.0.sidecar.ask_again(record)
    }
}

/// Texts of policies: those of the files, as long as they are the ones that the log names.
struct OfFiles<'a>(&'a Web);

impl Texts for OfFiles<'_> {
    fn text(&self, sha256: &str) -> Option<String> {
        self.0.sidecar.policy_text(sha256)
    }
}

/// Nothing is proved unless somebody asks for it.
struct Unproven;

impl Prover for Unproven {
    fn prove(&self, _: &str, _: u64) -> ProofView {
        ProofView::default()
    }
}
