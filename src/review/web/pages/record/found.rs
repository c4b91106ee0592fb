//! Finding a record, and all that is known of it.

use super::super::Asked;
use crate::audit::query::{Field, Filter, Order};
use crate::audit::wire::WireRecord;
use crate::audit::{Blobs, Entry, Hash};
use crate::review::decision::{
    Again, Asker, DecisionView, Found, InLog, ProofView, Prover, Sources, Wanted,
};
use crate::review::policies::{KeptPolicies, KeptPolicy, Policies, Texts};
use crate::review::web::Web;

/// Records of one call that are read; a call has a handful.
const SIBLINGS: usize = 200;
/// Policies that are looked for.
const LOADS: usize = 200;

/// The record that is asked for, and what belongs to it.
pub(super) fn view(asked: &Asked<'_>) -> Option<DecisionView> {
    let main = wanted(asked)?;
    let mut others = match &main.record.call {
        Some(call) => of_call(asked, call),
        None => Vec::new(),
    };
    others.retain(|other| (&other.file, other.line) != (&main.file, main.line));
    others.retain(|other| other.record.call == main.record.call);
    // To prove is to read the whole stream: only who asks for it waits for that.
    let in_log = InLog(asked.web.log.dir());
    let prover: &dyn Prover = match asked.parameter("prove") {
        Some(_) => &in_log,
        None => &Unproven,
    };
    let sources = Sources {
        policies: &policies(asked),
        kept: &KeptPolicies::of(KeptTexts(asked.web)),
        asker: &Current(asked.web),
        prover,
    };
    Some(DecisionView::of(Found { main, others }, &sources))
}

/// What a record is called on the command line.
pub(super) fn id(record: &WireRecord) -> String {
    match &record.call {
        Some(call) if !call.is_empty() => call.clone(),
        _ => format!("{}/{}", record.stream, record.seq),
    }
}

/// The record itself: by its call, or by its number.
fn wanted(asked: &Asked<'_>) -> Option<Entry> {
    match Wanted::parse(asked.parameter("id")?) {
        Wanted::Id(call) => {
            let all = of_call(asked, &call);
            let decides = |entry: &&Entry| entry.record.kind == "tool.pre";
            all.iter().find(decides).or(all.first()).cloned()
        }
        Wanted::Seq(seq) => asked.log.numbered(None, seq),
        Wanted::Place(stream, seq) => asked.log.numbered(Some(&stream), seq),
    }
}

/// The records of a call, by either of its ids, oldest first.
fn of_call(asked: &Asked<'_>, call: &str) -> Vec<Entry> {
    let filter = Filter::default().with(Field::Call, call);
    let found = asked.log.records(&filter, Order::OldestFirst, None, SIBLINGS);
    found.entries.into_iter().map(|(_, entry)| entry).collect()
}

/// The policies that the log tells of.
fn policies(asked: &Asked<'_>) -> Policies {
    let filter = Filter::default().toggled(Field::Kind, "policy.load");
    let mut policies = Policies::default();
    let loads = asked.log.newest(&filter, LOADS);
    loads.iter().rev().for_each(|entry| policies.take(&entry.record));
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

/// Texts of policies: as the log kept them; else those of the files, as long as they are the ones
/// that the log names.
struct KeptTexts<'a>(&'a Web);

impl Texts for KeptTexts<'_> {
    fn text(&self, sha256: &str) -> Option<String> {
        let kept =
            Hash::parse(sha256).and_then(|name| Blobs::of(self.0.log.dir()).policy(name).ok());
        kept.or_else(|| self.0.sidecar.policy_text(sha256))
    }
}

/// Nothing is proved unless somebody asks for it.
struct Unproven;

impl Prover for Unproven {
    fn prove(&self, _: &str, _: u64) -> ProofView {
        ProofView::default()
    }
}
