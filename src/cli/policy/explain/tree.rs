//! What a call would do, as a tree: each access below the command that it belongs to, with how
//! surely it happens and why that is not known.

use crate::author::explain::{ExplainedAccess, certainty};
use crate::author::groups::{Group, Kind};
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
pub(super) fn lines(accesses: &[ExplainedAccess], groups: &[Group]) -> Vec<Line> {
    let mut lines = Vec::new();
    if accesses.iter().any(|one| one.access.within.is_some()) {
        let call = Call { accesses, groups };
        let top = call.leaves(None);
        top.iter().for_each(|leaf| call.branch(leaf, "", &mut lines));
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.truncate(LINES_MAX);
        lines.push(Line { verdict: None, text: format!("... and {more} more, told below") });
    }
    lines
}

/// A call, and which of its accesses are told as one.
struct Call<'a> {
    accesses: &'a [ExplainedAccess],
    groups: &'a [Group],
}

impl<'a> Call<'a> {
    fn branch(&self, leaf: &Leaf<'a>, indent: &str, lines: &mut Vec<Line>) {
        let text = format!("{indent}{}{}", told(leaf), self.more(leaf.first));
        lines.push(Line { verdict: leaf.one.verdict, text });
        let below = self.leaves(Some(leaf.first));
        below.iter().for_each(|leaf| self.branch(leaf, &format!("{indent}  "), lines));
    }

    /// What belongs to a command, in the order of the call. Whatever belongs to one that comes
    /// after it hangs nowhere: so that this ends, and nothing is told twice.
    fn leaves(&self, within: Option<usize>) -> Vec<Leaf<'a>> {
        let mut leaves: Vec<Leaf<'a>> = Vec::new();
        for (at, one) in self.accesses.iter().enumerate() {
            let parent = one.access.within.filter(|parent| *parent < at);
            if parent != within || self.is_told_elsewhere(at) {
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

    /// Whether the first of its tree stands for it.
    fn is_told_elsewhere(&self, at: usize) -> bool {
        let tree = |group: &&Group| matches!(group.kind, Kind::Tree(_));
        let mut trees = self.groups.iter().filter(tree);
        trees.any(|group| group.places.iter().skip(1).any(|place| *place == at))
    }

    fn more(&self, at: usize) -> String {
        let of = self.groups.iter().find(|group| group.places.first() == Some(&at));
        match of.map(|group| (&group.kind, group.places.len())) {
            Some((Kind::Tree(root), all)) if all > 1 => format!(", and {} more in {root}", all - 1),
            _ => String::new(),
        }
    }
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
