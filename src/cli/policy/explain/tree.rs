//! What a call would do, as a tree: each access below the command that it belongs to, with how
//! surely it happens and why that is not known.

use crate::author::explain::{ExplainedAccess, certainty};
use crate::model::access::{Certainty, Target};
use crate::model::effect::Verdict;

/// Lines that are shown; the accesses themselves follow one by one.
const LINES_MAX: usize = 60;

/// One line of the tree.
pub(super) struct Line {
    /// What the access comes to; nothing if it turned out to be none.
    pub(super) verdict: Option<Verdict>,
    /// The branch, and what hangs on it.
    pub(super) text: String,
}

/// Accesses told as one: those of several verbs that are unknown for one and the same reason.
struct Leaf<'a> {
    first: usize,
    verbs: Vec<&'static str>,
    one: &'a ExplainedAccess,
}

/// The tree of a call; nothing for a call of which there is nothing below.
pub(super) fn lines(accesses: &[ExplainedAccess]) -> Vec<Line> {
    let mut lines = Vec::new();
    if accesses.iter().any(|one| one.access.within.is_some()) {
        let top = leaves(accesses, None);
        top.iter().for_each(|leaf| branch(accesses, leaf, "", &mut lines));
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.truncate(LINES_MAX);
        lines.push(Line { verdict: None, text: format!("... and {more} more, told below") });
    }
    lines
}

fn branch(accesses: &[ExplainedAccess], leaf: &Leaf<'_>, indent: &str, lines: &mut Vec<Line>) {
    lines.push(Line { verdict: leaf.one.verdict, text: format!("{indent}{}", told(leaf)) });
    let below = leaves(accesses, Some(leaf.first));
    below.iter().for_each(|leaf| branch(accesses, leaf, &format!("{indent}  "), lines));
}

/// What belongs to a command, in the order of the call. Whatever belongs to one that comes after it
/// hangs nowhere: so that this ends, and nothing is told twice.
fn leaves(accesses: &[ExplainedAccess], within: Option<usize>) -> Vec<Leaf<'_>> {
    let mut leaves: Vec<Leaf<'_>> = Vec::new();
    for (at, one) in accesses.iter().enumerate() {
        let parent = one.access.within.filter(|parent| *parent < at);
        if parent != within {
            continue;
        }
        let verb = one.access.target.verb().as_str();
        match leaves.last_mut() {
            Some(last) if same_unknown(last.one, one) => last.verbs.push(verb),
            _ => leaves.push(Leaf { first: at, verbs: vec![verb], one }),
        }
    }
    leaves
}

fn same_unknown(one: &ExplainedAccess, other: &ExplainedAccess) -> bool {
    match (&one.access.target, &other.access.target) {
        (Target::Unknown { reason, .. }, Target::Unknown { reason: other_reason, .. }) => {
            reason == other_reason && one.verdict == other.verdict
        }
        _ => false,
    }
}

fn told(leaf: &Leaf<'_>) -> String {
    let access = &leaf.one.access;
    let verbs = leaf.verbs.join(", ");
    let what = match &access.target {
        Target::Unknown { reason, .. } => format!("{verbs} of something: {reason}"),
        target => format!("{verbs} {target}"),
    };
    let fed = match &access.target {
        Target::Exec(command) if !command.fed_by.is_empty() => {
            let by: Vec<String> = command.fed_by.iter().map(|at| (at + 1).to_string()).collect();
            format!(", fed by {}", by.join(" and "))
        }
        _ => String::new(),
    };
    let sure = match &access.certainty {
        Certainty::Certain => match (leaf.one.doubts.first(), &access.target) {
            (Some(doubt), Target::Exec(_)) => format!("  (certain, but: {doubt})"),
            (_, _) => String::new(),
        },
        Certainty::Possible(doubt) | Certainty::Suspected(doubt) => {
            format!("  ({}: {doubt})", certainty(access))
        }
    };
    format!("{}. {what}{fed}{sure}", leaf.first + 1)
}
