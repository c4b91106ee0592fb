//! Statistics for people.

use super::{Compared, Part};
use crate::cli::audit::table::{counted, table};
use crate::cli::show::{Paint, colour, paint, plain};
use crate::limits::STATS_SLOW_ROWS;
use crate::review::moment::{span, to_the_second};
use crate::review::stats::{Comparison, Latency, Row, SlowCall, Stats};

/// All of it, or the parts that are wanted; of each so many rows.
pub(super) fn whole(
    stats: &Stats,
    compared: Compared<'_>,
    (parts, top): (&[Part], usize),
) -> String {
    let mut screen = Screen { out: String::new(), colour: colour(), top };
    let wanted = |part: Part| parts.is_empty() || parts.contains(&part);
    if parts.is_empty() {
        screen.sum(stats);
    }
    for (part, title, rows) in [
        (Part::Tool, "by tool", &stats.by_tool),
        (
            Part::Rule,
            "by rule that made the decision (one counts for each of its rules)",
            &stats.by_rule,
        ),
        (Part::Shadow, "by rule in shadow, which is told only", &stats.by_shadow_rule),
        (Part::Host, "by host that calls named", &stats.by_host),
        (Part::Principal, "by who asked", &stats.by_principal),
        (Part::Policy, "by policy", &stats.by_policy),
        (Part::Denied, "paths that were themselves denied", &stats.denied_paths),
        (Part::Denied, "hosts that were themselves denied", &stats.denied_hosts),
    ] {
        if wanted(part) {
            screen.counts(title, rows);
        }
    }
    if let Some(compared) = compared {
        screen.compared(compared);
    }
    if wanted(Part::NeverFired) {
        screen.never_fired(stats);
    }
    if wanted(Part::Approved) {
        screen.approved(stats);
    }
    if wanted(Part::Approvals) {
        screen.approvals(stats);
    }
    if wanted(Part::Secrets) {
        screen.secrets(stats);
    }
    if wanted(Part::Slow) {
        screen.slow(stats);
    }
    if wanted(Part::Findings) {
        screen.findings(stats);
    }
    screen.out
}

struct Screen {
    out: String,
    colour: bool,
    top: usize,
}

impl Screen {
    fn title(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.push_str(&paint(&plain(text), Paint::Dim, self.colour));
        self.out.push('\n');
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(&plain(text));
        self.out.push('\n');
    }

    fn table(&mut self, head: &[&str], rows: &[Vec<String>], all: usize) {
        self.out.push_str(&table(head, rows));
        self.out.push('\n');
        if all > rows.len() {
            self.line(&format!("and {} more (--top, or --format json)", all - rows.len()));
        }
    }

    fn sum(&mut self, stats: &Stats) {
        let (from, to) = (to_the_second(&stats.first), to_the_second(&stats.last));
        self.line(&format!(
            "{} of {}, {from} to {to} UTC",
            counted(stats.records, "record"),
            counted(stats.sessions, "session")
        ));
        let calls = &stats.calls;
        self.line(&format!(
            "{}: {} allowed, {} asked, {} denied, {} left to the runtime",
            counted(calls.total, "call"),
            calls.allow,
            calls.ask,
            calls.deny,
            calls.defer
        ));
    }

    fn counts(&mut self, title: &str, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        self.title(title);
        let cells = |row: &Row| {
            let calls = &row.calls;
            let counts = [calls.total, calls.allow, calls.ask, calls.deny, calls.defer];
            let counts = counts.map(|count| count.to_string()).to_vec();
            [vec![row.name.clone()], counts].concat()
        };
        let shown: Vec<_> = rows.iter().take(self.top).map(cells).collect();
        self.table(&["", "calls", "allow", "ask", "deny", "defer"], &shown, rows.len());
    }

    fn compared(&mut self, compared: &Comparison) {
        let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
        let (before, after) = (short(&compared.before), short(&compared.after));
        self.title(&format!("what changed from policy {before} to {after}"));
        for (name, calls) in [(&before, &compared.calls_before), (&after, &compared.calls_after)] {
            self.line(&format!(
                "under {name}: {} calls, {} allowed, {} asked, {} denied",
                calls.total, calls.allow, calls.ask, calls.deny
            ));
        }
        self.rule_changes(compared);
        self.counts("rules that denied something only under the new one", &compared.new_denials);
        self.counts("rules that denied something only under the old one", &compared.gone_denials);
        self.title("the same tool and target, decided otherwise");
        if compared.changes.is_empty() {
            self.line("none");
            return;
        }
        let rows: Vec<Vec<String>> = compared
            .changes
            .iter()
            .take(self.top)
            .map(|one| {
                let change = format!("{} -> {}", one.before, one.after);
                let count = one.count.to_string();
                vec![change, count, one.seq.to_string(), one.tool.clone(), one.about.clone()]
            })
            .collect();
        self.table(&["", "calls", "record", "tool", "what"], &rows, compared.changes.len());
    }

    fn rule_changes(&mut self, compared: &Comparison) {
        self.title("the rules that changed");
        let Some(rules) = &compared.rules else {
            self.line(&format!("not known: {}", compared.rules_not_known));
            return;
        };
        if rules.is_empty() {
            self.line("none");
        }
        for one in rules.iter().take(self.top) {
            self.line(&format!("{:<7}  {}  {}:{}", one.change, one.id, one.file, one.line));
            // A pattern of the grid says all in its id.
            let texts = [("-", &one.before), ("+", &one.after)];
            for (sign, text) in texts.into_iter().filter(|_| one.has_text) {
                for line in text.lines() {
                    self.line(&format!("         {sign} {line}"));
                }
            }
        }
        if rules.len() > self.top {
            self.line(&format!("and {} more (--top, or --format json)", rules.len() - self.top));
        }
    }

    fn never_fired(&mut self, stats: &Stats) {
        for policy in &stats.not_kept {
            self.title("rules that never fired");
            self.line(&format!("not known of {policy}"));
        }
        for (shadow, title) in [(false, "rules that never fired"), (true, "... of those in shadow")]
        {
            let rules: Vec<_> =
                stats.never_fired.iter().filter(|rule| rule.shadow == shadow).collect();
            if rules.is_empty() {
                continue;
            }
            self.title(title);
            let row = |rule: &&crate::review::stats::NeverFired| {
                let place = format!("{}:{}", rule.file, rule.line);
                let digest = rule.sha256.get(..12).unwrap_or(&rule.sha256).to_owned();
                vec![rule.says.clone(), rule.id.clone(), place, rule.policy.clone(), digest]
            };
            let rows: Vec<_> = rules.iter().take(self.top).map(row).collect();
            self.table(&["says", "rule", "where", "policy", "digest"], &rows, rules.len());
        }
    }

    fn approved(&mut self, stats: &Stats) {
        let waiting = &stats.waiting;
        if waiting.count > 0 {
            self.title("how long people were waited for");
            self.line(&latency(waiting));
        }
        if stats.always_approved.is_empty() {
            return;
        }
        self.title("always answered yes: perhaps an allow");
        let row = |one: &crate::review::stats::Approved| {
            let example = one.evidence.first();
            let record = example.map(|one| one.seq.to_string()).unwrap_or_default();
            let about = example.map(|one| one.about.clone()).unwrap_or_default();
            let yes = format!("{} of {}", one.yes, one.asked);
            vec![one.rule.clone(), one.tool.clone(), yes, span(one.waited_ms), record, about]
        };
        let rows: Vec<_> = stats.always_approved.iter().take(self.top).map(row).collect();
        let head = ["rule", "tool", "yes", "waited in all", "record", "one of them"];
        self.table(&head, &rows, stats.always_approved.len());
    }

    fn approvals(&mut self, stats: &Stats) {
        if stats.approvals.is_empty() {
            return;
        }
        self.title("questions and their answers");
        let row = |one: &crate::review::stats::Approvals| {
            let open = one.asked.saturating_sub(one.yes + one.no);
            let [yes, no, open] = [one.yes, one.no, open].map(|count| count.to_string());
            let waited = match (one.yes + one.no, one.waited_ms) {
                (0, _) => String::new(),
                (answers, ms) => span(ms / answers),
            };
            let (who, rule, tool) = (one.principal.clone(), one.rule.clone(), one.tool.clone());
            vec![who, rule, tool, yes, no, open, waited, span(one.longest_ms), one.by.clone()]
        };
        let rows: Vec<_> = stats.approvals.iter().take(self.top).map(row).collect();
        let head =
            ["who asked", "rule", "tool", "yes", "no", "open", "waited", "longest", "answered by"];
        self.table(&head, &rows, stats.approvals.len());
    }

    fn secrets(&mut self, stats: &Stats) {
        if stats.secrets.is_empty() {
            return;
        }
        self.title("secrets that were taken out, with the newest of each");
        let row = |one: &crate::review::stats::Secrets| {
            let place = format!("{}{}", one.of, one.pointer);
            let (count, seq) = (one.count.to_string(), one.seq.to_string());
            vec![one.detector.clone(), one.tool.clone(), count, seq, place, one.session.clone()]
        };
        let rows: Vec<_> = stats.secrets.iter().take(self.top).map(row).collect();
        let head = ["detector", "tool", "count", "record", "where", "session"];
        self.table(&head, &rows, stats.secrets.len());
    }

    fn slow(&mut self, stats: &Stats) {
        if stats.deciding.count > 0 {
            self.title("how long deciding took");
            self.line(&latency(&stats.deciding));
        }
        if stats.running.count > 0 {
            self.title("how long calls ran");
            self.line(&latency(&stats.running));
        }
        for (title, calls, all) in [
            ("the slowest decisions", &stats.slow_decisions, stats.deciding.count),
            ("the slowest calls", &stats.slow_calls, stats.running.count),
        ] {
            if calls.is_empty() {
                continue;
            }
            self.title(title);
            let row = |one: &SlowCall| {
                vec![us(one.us), one.seq.to_string(), one.tool.clone(), one.about.clone()]
            };
            let rows: Vec<_> = calls.iter().take(self.top).map(row).collect();
            self.out.push_str(&table(&["took", "record", "tool", "what"], &rows));
            self.out.push('\n');
            let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            if all > shown {
                let more = all - shown;
                self.line(&format!("and {more} more (--top lists up to {STATS_SLOW_ROWS})"));
            }
        }
    }

    fn findings(&mut self, stats: &Stats) {
        self.title("findings");
        let mut rows: Vec<Vec<String>> =
            stats.findings.iter().map(|(code, n)| vec![code.clone(), n.to_string()]).collect();
        rows.push(vec!["calls without a known end".to_owned(), stats.unknown.to_string()]);
        rows.push(vec!["records that were lost".to_owned(), stats.lost.to_string()]);
        let all = rows.len();
        self.table(&["", "count"], &rows, all);
    }
}

fn latency(latency: &Latency) -> String {
    let Latency { count, p50_us, p99_us, max_us } = *latency;
    format!("{count} measured: p50 {}, p99 {}, longest {}", us(p50_us), us(p99_us), us(max_us))
}

fn us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => span(us / 1_000),
    }
}
