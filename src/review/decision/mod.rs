//! One decision whole: its record, what belongs to it, the rules as they stood, what the policy of
//! then and the current one say when they are asked again, and the proof of its place.

mod asked;
mod find;
mod proved;

pub use asked::{Again, NearRule, ask};
pub use find::{Found, Wanted};
pub use proved::InLog;

use crate::audit::Entry;
use crate::audit::wire::{WireRecord, WireRule};
use crate::review::findings::at;
use crate::review::moment;
use crate::review::policies::{Kept, KeptPolicy, Policies, PolicyLoad};
use crate::review::session::about;
use serde::Serialize;

/// A decision and all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionView {
    /// Its record.
    pub record: WireRecord,
    /// The file that the record stands in.
    pub file: String,
    /// The line there, from 1.
    pub line: u64,
    /// The line as it stands, without its newline.
    pub raw: String,
    /// The other records of the call, oldest first.
    pub siblings: Vec<Sibling>,
    /// How the policy of then came into force, if the log still has that.
    pub policy: Option<PolicyLoad>,
    /// Why the texts of the policy are not there, or may not be those of then; nothing if they are
    /// kept and give the very digest that the record names.
    pub policy_doubt: Option<String>,
    /// The rules that made the decision, with their texts as they stood.
    pub rules: Vec<RuleView>,
    /// The others that matched or may have.
    pub besides: Vec<RuleView>,
    /// What the policy of then says when it is asked again.
    pub then: Again,
    /// What the current policy says.
    pub now: Again,
    /// The proof of the record's place.
    pub proof: ProofView,
}

/// Another record of the same call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sibling {
    /// The record.
    pub record: WireRecord,
    /// How long after the decision it was written, in milliseconds; 0 if before.
    pub after_ms: u64,
    /// What it is about, in one line.
    pub about: String,
}

/// One rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleView {
    /// Its id.
    pub id: String,
    /// What it says.
    pub effect: String,
    /// Whether it matched: yes or maybe.
    pub matched: String,
    /// Whether it is told only.
    pub shadow: bool,
    /// The file it stood in.
    pub file: String,
    /// Its line there; 0 for a built-in one.
    pub line: usize,
    /// Its text as it stood, if that is kept.
    pub text: Option<String>,
}

/// What proves a record's place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProofView {
    /// `SEALED` if a signed head covers it, `UNSEALED` if none does yet, `BROKEN` if it does not
    /// fit; empty if nobody looked.
    pub state: String,
    /// The same in words.
    pub told: String,
    /// The signed head that covers it, as it stands in the log.
    pub note: Option<String>,
    /// How many records that head covers.
    pub size: Option<u64>,
    /// The hashes that lead from the record to the head's root, in hexadecimal.
    pub path: Vec<String>,
}

/// What the view of a decision is made with.
pub struct Sources<'a> {
    /// The policies that the log tells of.
    pub policies: &'a Policies,
    /// Their texts.
    pub kept: &'a dyn Kept,
    /// Asks the policy of then, and the current one.
    pub asker: &'a dyn Asker,
    /// Proves a record's place.
    pub prover: &'a dyn Prover,
}

/// Asks policies once more.
pub trait Asker {
    /// What the policy of then says of a recorded call.
    fn then(&self, record: &WireRecord, policy: &crate::review::policies::KeptPolicy) -> Again;

    /// What the current policy says of it.
    fn now(&self, record: &WireRecord) -> Again;
}

/// Proves a record's place in its log.
pub trait Prover {
    /// The proof of the record at this place.
    fn prove(&self, stream: &str, seq: u64) -> ProofView;
}

impl DecisionView {
    /// All that is known of what was found.
    #[must_use]
    pub fn of(found: Found, sources: &Sources<'_>) -> DecisionView {
        let Found { main: Entry { record, text, file, line }, others } = found;
        let digest = record.policy.as_ref().map(|policy| policy.sha256.as_str());
        let load = digest.and_then(|digest| sources.policies.find(digest));
        let kept = match load {
            Some(load) => sources.kept.policy(load),
            None => Err("the log does not tell how that policy came into force".to_owned()),
        };
        let deciding = record.deciding();
        let all = record.decision.iter().flat_map(|decision| &decision.rules);
        let (made, besides): (Vec<&WireRule>, Vec<&WireRule>) =
            all.partition(|rule| deciding.iter().any(|one| std::ptr::eq(*one, *rule)));
        let kept_policy = kept.as_deref().ok();
        let seen = |rules: Vec<&WireRule>| -> Vec<RuleView> {
            rules.into_iter().map(|rule| RuleView::of(rule, kept_policy)).collect()
        };
        let (rules, besides, began) = (seen(made), seen(besides), at(&record));
        let then = match &kept {
            Ok(policy) => sources.asker.then(&record, policy),
            Err(why) => Again::untold(why.clone()),
        };
        let policy_doubt = match &kept {
            Ok(policy) if policy.same_digest => None,
            Ok(_) => Some("this version of toolgate reads the kept text otherwise".to_owned()),
            Err(why) => Some(why.clone()),
        };
        DecisionView {
            now: sources.asker.now(&record),
            proof: sources.prover.prove(&record.stream, record.seq),
            siblings: others.into_iter().map(|entry| Sibling::of(entry.record, began)).collect(),
            policy: load.cloned(),
            policy_doubt,
            rules,
            besides,
            then,
            record,
            file,
            line,
            raw: text,
        }
    }
}

impl RuleView {
    fn of(rule: &WireRule, kept: Option<&KeptPolicy>) -> RuleView {
        RuleView {
            id: rule.id.clone(),
            effect: rule.effect.clone(),
            matched: rule.matched.clone(),
            shadow: rule.shadow,
            file: rule.file.clone(),
            line: rule.line,
            text: kept.and_then(|kept| kept.rule_text(&rule.file, rule.line)),
        }
    }
}

impl Sibling {
    fn of(record: WireRecord, began: i64) -> Sibling {
        Sibling { after_ms: moment::between(began, at(&record)), about: about(&record), record }
    }
}
