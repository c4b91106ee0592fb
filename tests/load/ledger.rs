//! The log held against what the sessions were answered: each answer has its record and each
//! record its answer, and what has none is what a restart explains.

use crate::load::agent::{Call, KEY, Kind, Played, effect};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use toolgate::audit::Log;
use toolgate::audit::wire::WireRecord;

/// What restarts left behind, counted.
#[derive(Debug, Default)]
pub struct Sum {
    pub calls: usize,
    pub records: usize,
    pub answered: BTreeMap<&'static str, usize>,
    /// Denied by the client, since nobody was there; the second in spite of an answer in the log.
    pub denied_alone: usize,
    pub denied_though_judged: usize,
    /// Calls that ran and whose end never came in.
    pub ends_lost: usize,
    pub findings: BTreeMap<String, usize>,
    pub daily: usize,
}

impl Sum {
    /// For a person who runs it by hand.
    pub fn print(&self) {
        println!("{} calls in {} records; answered {:?}", self.calls, self.records, self.answered);
        println!("denied by the client alone {}", self.denied_alone);
        println!("denied by the client, and judged {}", self.denied_though_judged);
        println!("ends that did not come in {}; findings {:?}", self.ends_lost, self.findings);
        println!("calls of the limit that all share {}", self.daily);
    }
}

/// The records of the log, by what they are of.
#[derive(Default)]
struct Ledger {
    calls: HashMap<String, Vec<WireRecord>>,
    told: HashMap<(String, String), usize>,
    /// Calls of batches that nobody was asked about.
    unasked: Vec<String>,
    kinds: BTreeMap<String, usize>,
    /// Why events were refused unread.
    refused: BTreeSet<String>,
    findings: BTreeMap<String, usize>,
    records: usize,
}

fn detail(record: &WireRecord, name: &str) -> String {
    let value = record.details.get(name);
    value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

impl Ledger {
    fn read(dir: &Path) -> Ledger {
        let log = Log::of(dir).unwrap();
        let mut ledger = Ledger::default();
        for file in 0..log.files() {
            for entry in log.file(file) {
                ledger.take(entry.unwrap().record);
            }
        }
        ledger
    }

    fn take(&mut self, mut record: WireRecord) {
        self.records += 1;
        *self.kinds.entry(record.kind.clone()).or_default() += 1;
        // What is not asked for here would only take room.
        (record.input, record.output, record.state) = (None, None, None);
        if record.kind == "bad_input" {
            self.refused.insert(detail(&record, "why"));
        }
        if record.kind == "finding" {
            let code = detail(&record, "code");
            if code == "batch_call_without_pre" {
                let id = record.details["what"][1].as_str().unwrap().to_owned();
                self.unasked.push(id);
            }
            *self.findings.entry(code).or_default() += 1;
        }
        match (record.tool_use_id.clone(), record.session.clone()) {
            (Some(id), _) => self.calls.entry(id).or_default().push(record),
            (None, Some(session)) if record.kind != "finding" => {
                *self.told.entry((session, detail(&record, "event"))).or_default() += 1;
            }
            _ => {}
        }
    }
}

/// The names of the two policies that take turns; the second allows what the first refuses.
pub const POLICIES: [&str; 2] = ["load-a", "load-b"];

/// Holds everything against everything. `starts` and `stops` are the sidecar's, in good order.
pub fn check(dir: &Path, played: &[Played], daily: usize, starts: usize, stops: usize) -> Sum {
    let mut ledger = Ledger::read(dir);
    let records = ledger.records;
    let mut sum = Sum { records, findings: ledger.findings.clone(), ..Sum::default() };
    for code in ledger.findings.keys() {
        let restarts_explain =
            ["no_end", "batch_call_without_pre", "question_about_unjudged_input"];
        assert!(restarts_explain.contains(&code.as_str()), "{:?}", ledger.findings);
    }
    for (kind, expected) in
        [("service.start", starts), ("service.stop", stops), ("audit.retention", 0)]
    {
        assert_eq!(ledger.kinds.get(kind).copied().unwrap_or_default(), expected, "{kind}");
    }
    // The one event that breaks off is how the test saw the sidecar listen.
    ledger.refused.remove("the request is cut short");
    ledger.refused.remove("the guard is closing");
    assert!(ledger.refused.is_empty(), "{:?}", ledger.refused);
    let mut daily_allowed = (0, true);
    for session in played {
        let told_in_window = session.told.iter().any(|(_, answer)| answer.window);
        let mut limits: BTreeMap<Kind, (usize, bool)> = BTreeMap::new();
        for call in &session.calls {
            let records = ledger.calls.remove(&call.id).unwrap_or_default();
            let allowed = one(call, &records, told_in_window, &mut sum);
            let unasked = ledger.unasked.iter().filter(|id| **id == call.id).count();
            let is_known = records.iter().any(|record| record.kind == "tool.pre");
            assert!(unasked == 0 || !is_known, "{call:?} was asked about: {records:?}");
            let limit = limits.entry(call.kind).or_insert((0, true));
            limit.0 += usize::from(allowed);
            limit.1 &= !call.pre.window;
        }
        for (kind, (allowed, is_exact)) in limits {
            match kind {
                Kind::Few | Kind::Pay if is_exact => assert_eq!(allowed, 3, "{}", session.session),
                Kind::Few | Kind::Pay => assert!(allowed <= 3, "{}", session.session),
                Kind::Daily => {
                    daily_allowed = (daily_allowed.0 + allowed, daily_allowed.1 && is_exact);
                }
                _ => {}
            }
        }
        events(session, &ledger);
    }
    sum.daily = daily_allowed.0;
    assert!(sum.daily <= daily && (sum.daily == daily || !daily_allowed.1), "{sum:?}");
    let strangers: Vec<_> = ledger.calls.keys().collect();
    assert!(strangers.is_empty(), "nobody asked these: {strangers:?}");
    sum
}

/// The events of a session that only tell: as many records as answers.
fn events(session: &Played, ledger: &Ledger) {
    let mut told: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (name, answer) in &session.told {
        let counts = told.entry(name).or_default();
        counts.0 += usize::from(!answer.window);
        counts.1 += 1;
    }
    for (name, (least, most)) in told {
        let key = (session.session.clone(), name.to_owned());
        let stand = ledger.told.get(&key).copied().unwrap_or_default();
        assert!((least..=most).contains(&stand), "{key:?}: {stand} of {least}..={most}");
    }
}

/// One call and its records; whether the log has it as let through.
fn one(call: &Call, records: &[WireRecord], told_in_window: bool, sum: &mut Sum) -> bool {
    let of = |kind: &str| records.iter().filter(|record| record.kind == kind).collect::<Vec<_>>();
    let (pre, post, unknown) = (of("tool.pre"), of("tool.post"), of("tool.unknown"));
    let whole = format!("{call:?}: {records:?}");
    assert!(pre.len() <= 1 && post.len() <= 1 && unknown.len() <= 1, "{whole}");
    let said = effect(&call.pre);
    sum.calls += 1;
    *sum.answered.entry(said).or_default() += 1;
    let Some(pre) = pre.first() else {
        assert!(call.pre.window && said == "deny" && records.is_empty(), "{whole}");
        sum.denied_alone += 1;
        return false;
    };
    let decided = decided(call, pre, &whole);
    if decided != said {
        assert!(call.pre.window && said == "deny", "{whole}");
        sum.denied_though_judged += 1;
    }
    let has_post =
        post.first().inspect(|post| assert_eq!(post.call, pre.call, "{whole}")).is_some();
    match &call.post {
        None => assert!(!has_post, "{whole}"),
        Some(answer) => {
            assert!(has_post || answer.window, "{whole}");
            let said = answer.reply.as_ref().map(|reply| reply.stdout.as_slice());
            let said = String::from_utf8_lossy(said.unwrap_or_default());
            assert!(!said.contains(KEY), "{whole}");
            let is_replaced = said.contains("updatedToolOutput");
            assert!(answer.window || is_replaced == (call.kind == Kind::Keys), "{whole}");
        }
    }
    let is_open = decided != "deny" && !has_post;
    assert!(unknown.is_empty() || is_open, "{whole}");
    assert!(!is_open || unknown.len() == 1 || told_in_window, "{whole}");
    if call.post.is_some() && !has_post {
        sum.ends_lost += 1;
    }
    // What has run is never told of as if it had not; what is not known, only after a restart.
    let is_true = unknown.first().is_none_or(|record| match detail(record, "outcome").as_str() {
        "not_run" => call.post.is_none(),
        outcome => outcome == "unknown" && call.over_later,
    });
    assert!(is_true, "{whole}");
    approvals(call, decided, has_post, &of("approval"));
    for finding in of("finding") {
        match detail(finding, "code").as_str() {
            "no_end" => assert!(is_open && call.over_later, "{whole}"),
            "question_about_unjudged_input" => assert!(call.asked_later, "{whole}"),
            _ => panic!("{whole}"),
        }
    }
    decided == "allow"
}

/// A question has one answer: the person's, as it shows.
fn approvals(call: &Call, decided: &str, has_post: bool, found: &[&WireRecord]) {
    let expected = usize::from(decided == "ask");
    let is_there = found.len() == expected || (found.is_empty() && call.over_later && !has_post);
    let answer = if has_post { "yes" } else { "no" };
    let is_right = found.iter().all(|record| detail(record, "answer") == answer);
    assert!(is_there && is_right, "{call:?}: {found:?}");
}

/// What a record says was decided, which must be what the policy says.
fn decided<'a>(call: &Call, pre: &'a WireRecord, whole: &str) -> &'a str {
    let decided = pre.decision.as_ref().unwrap().effect.as_str();
    let policy = pre.policy.as_ref().unwrap().name.as_str();
    let expected: &[&str] = match call.kind {
        Kind::Plain | Kind::Keys | Kind::Taint | Kind::Shell => &["allow"],
        Kind::Fails | Kind::Write => &["allow"],
        Kind::Secret => &["deny"],
        Kind::Only if policy == POLICIES[0] => &["deny"],
        Kind::Only => &["allow"],
        Kind::Fetch if call.tainted => &["deny"],
        Kind::Fetch => &["allow"],
        Kind::Ask => &["ask"],
        Kind::Defer => &["defer"],
        Kind::Few | Kind::Pay | Kind::Daily => &["allow", "deny"],
    };
    assert!(expected.contains(&decided), "{whole}");
    // One that began and ended between two reloads was judged by the policy that was in force.
    let (before, after) = call.versions;
    if before == after && before.is_multiple_of(2) {
        assert_eq!(policy, POLICIES[before / 2 % 2], "{whole}");
    }
    decided
}
