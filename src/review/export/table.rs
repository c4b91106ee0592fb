//! A record as one row of a table: what has one value, and the first of what has several.

use crate::audit::wire::WireRecord;
use crate::review::subject;
use crate::review::visible::cell;

/// The columns.
pub const HEAD: [&str; 24] = [
    "stream",
    "seq",
    "ts",
    "kind",
    "session",
    "uid",
    "runtime",
    "agent",
    "agent_id",
    "sender",
    "tool",
    "about",
    "cwd",
    "effect",
    "basis",
    "reason",
    "rules",
    "accesses",
    "policy",
    "policy_sha256",
    "decided_us",
    "call",
    "tool_use_id",
    "details",
];

/// A record's row; no cell of it is a formula.
#[must_use]
pub fn row(record: &WireRecord) -> [String; 24] {
    let text = |text: &Option<String>| text.as_deref().map(cell).unwrap_or_default();
    let decision = record.decision.as_ref();
    let agent = record.agent.as_ref();
    let rules: Vec<&str> = record.deciding().into_iter().map(|rule| rule.id.as_str()).collect();
    let rules = decision.map(|_| rules.join(" "));
    let access = |access: &crate::audit::wire::WireAccess| {
        format!("{} {} {}", access.verdict, access.verb, access.target)
    };
    let accesses: Vec<String> = record.accesses.iter().map(access).collect();
    let details = match record.details.is_empty() {
        true => String::new(),
        false => serde_json::to_string(&record.details).unwrap_or_default(),
    };
    [
        cell(&record.stream),
        record.seq.to_string(),
        cell(&record.ts),
        cell(&record.kind),
        text(&record.session),
        record.uid.map(|uid| uid.to_string()).unwrap_or_default(),
        text(&record.runtime),
        agent.map(|agent| cell(&agent.kind)).unwrap_or_default(),
        agent.map(|agent| text(&agent.id)).unwrap_or_default(),
        text(&record.sender),
        text(&record.tool),
        cell(&subject(record)),
        text(&record.cwd),
        decision.map(|decision| cell(&decision.effect)).unwrap_or_default(),
        decision.map(|decision| cell(&decision.basis)).unwrap_or_default(),
        decision.map(|decision| cell(&decision.reason)).unwrap_or_default(),
        rules.map(|rules| cell(&rules)).unwrap_or_default(),
        cell(&accesses.join("; ")),
        record.policy.as_ref().map(|policy| cell(&policy.name)).unwrap_or_default(),
        record.policy.as_ref().map(|policy| cell(&policy.sha256)).unwrap_or_default(),
        record.decided_us.map(|us| us.to_string()).unwrap_or_default(),
        text(&record.call),
        text(&record.tool_use_id),
        cell(&details),
    ]
}
