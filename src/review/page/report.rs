//! The report as one page.

use super::svg::{by_name, grouped, over_time};
use super::{STYLE, content_security_policy};
use crate::review::moment::{span, to_the_second};
use crate::review::report::{Denial, Integrity, Report};
use crate::review::session::SessionRow;
use crate::review::stats::{Latency, Row};
use crate::review::visible::plain;
use askama::Template;

/// The report as HTML, in one text that needs nothing besides.
///
/// # Errors
/// In words, if the page cannot be written.
pub fn report(report: &Report) -> Result<String, String> {
    Page::of(report).render().map_err(|error| error.to_string())
}

/// Rows of one table.
const ROWS: usize = 25;
/// Rows of one picture.
const BARS: usize = 12;

#[derive(Template)]
#[template(path = "report.html", config = "src/review/page/askama.toml")]
struct Page {
    csp: String,
    style: &'static str,
    stretch: String,
    from: String,
    to: String,
    made: String,
    tiles: Vec<Tile>,
    integrity: IntegrityPart,
    over_time: String,
    has_calls: bool,
    pictures: Vec<Picture>,
    denied_paths: Vec<Named>,
    denied_hosts: Vec<Named>,
    denials: Vec<DenialPart>,
    denials_told: String,
    waits: String,
    approved: Vec<ApprovedPart>,
    findings: Vec<FindingPart>,
    finding_counts: Vec<Named>,
    never_fired: Vec<Vec<String>>,
    never_fired_more: usize,
    shadow: Vec<Named>,
    slow: Vec<Vec<String>>,
    deciding: String,
    policies: Vec<Vec<String>>,
    sessions: Vec<SessionPart>,
    sessions_more: usize,
}

struct Tile {
    class: &'static str,
    number: String,
    name: &'static str,
}

struct IntegrityPart {
    class: &'static str,
    state: String,
    meaning: &'static str,
    told: String,
    head: String,
    flaws: Vec<String>,
    segments: Vec<Vec<String>>,
}

struct Picture {
    title: &'static str,
    svg: String,
    rest: String,
}

struct Named {
    name: String,
    count: String,
}

struct DenialPart {
    place: String,
    time: String,
    session: String,
    tool: String,
    about: String,
    rules: String,
    reason: String,
}

struct ApprovedPart {
    rule: String,
    tool: String,
    yes: String,
    waited: String,
    example: String,
}

struct FindingPart {
    place: String,
    time: String,
    code: String,
    what: String,
    meaning: String,
    session: String,
}

struct SessionPart {
    session: String,
    started: String,
    lasted: String,
    calls: String,
    denied: String,
    asked: String,
    findings: String,
    hosts: String,
    cost: String,
}

impl Page {
    fn of(report: &Report) -> Page {
        let stats = &report.stats;
        let never_fired = stats.never_fired.iter().filter(|rule| !rule.shadow);
        let all_rows = |rows: &[Row]| rows.iter().take(ROWS).map(named).collect();
        Page {
            csp: content_security_policy(),
            style: STYLE,
            stretch: plain(&report.stretch),
            from: to_the_second(&stats.first),
            to: to_the_second(&stats.last),
            made: to_the_second(&report.made),
            tiles: tiles(report),
            integrity: IntegrityPart::of(&report.integrity),
            over_time: over_time(&stats.over_time, stats.bucket_s),
            has_calls: stats.calls.total > 0,
            pictures: pictures(report),
            denied_paths: all_rows(&stats.denied_paths),
            denied_hosts: all_rows(&stats.denied_hosts),
            denials: report.denials.iter().take(ROWS).map(DenialPart::of).collect(),
            denials_told: told_of(report.denials.len().min(ROWS), stats.calls.deny),
            waits: waits(&stats.waiting, stats.calls.ask),
            approved: approved(report),
            findings: findings(report),
            finding_counts: stats
                .findings
                .iter()
                .map(|(code, count)| Named { name: plain(code), count: grouped(*count) })
                .collect(),
            never_fired: never_fired
                .clone()
                .take(ROWS)
                .map(|rule| {
                    let place = format!("{}:{}", plain(&rule.file), rule.line);
                    vec![plain(&rule.says), plain(&rule.id), place, plain(&rule.policy)]
                })
                .collect(),
            never_fired_more: never_fired.count().saturating_sub(ROWS),
            shadow: all_rows(&stats.by_shadow_rule),
            slow: slow(report),
            deciding: latency(&stats.deciding),
            policies: policies(report),
            sessions: report.sessions.iter().take(2 * ROWS).map(SessionPart::of).collect(),
            sessions_more: report.sessions_more + report.sessions.len().saturating_sub(2 * ROWS),
        }
    }
}

fn tiles(report: &Report) -> Vec<Tile> {
    let stats = &report.stats;
    let findings: u64 = stats.findings.values().sum();
    let tile = |class, count: u64, name| Tile { class, number: grouped(count), name };
    vec![
        tile("", stats.calls.total, "calls judged"),
        tile("deny", stats.calls.deny, "denied"),
        tile("ask", stats.calls.ask, "put to a person"),
        tile("allow", stats.calls.allow, "allowed"),
        tile(if findings > 0 { "ask" } else { "" }, findings, "findings"),
        tile(if stats.unknown > 0 { "ask" } else { "" }, stats.unknown, "without a known end"),
        tile(if stats.lost > 0 { "deny" } else { "" }, stats.lost, "records lost"),
        tile("", stats.sessions, "sessions"),
    ]
}

impl IntegrityPart {
    fn of(integrity: &Integrity) -> IntegrityPart {
        let class = match integrity.state.as_str() {
            "SEALED" => "good",
            "BROKEN" => "bad",
            _ => "warn",
        };
        let files = integrity.segments.len();
        // The newest and whatever is broken: a log of a year has thousands.
        let shown = |(place, row): &(usize, &crate::review::report::SegmentRow)| {
            place + 8 >= files || !row.flaw.is_empty()
        };
        IntegrityPart {
            class,
            state: match integrity.state.as_str() {
                "" => "NOT LOOKED AT".to_owned(),
                state => state.to_owned(),
            },
            meaning: integrity.meaning(),
            told: match files {
                1 => format!("{} records in one file were checked.", grouped(integrity.records)),
                _ => {
                    format!("{} records in {files} files were checked.", grouped(integrity.records))
                }
            },
            head: integrity.head.as_deref().map(plain).unwrap_or_default(),
            flaws: integrity.flaws.iter().map(|flaw| plain(flaw)).collect(),
            segments: integrity
                .segments
                .iter()
                .enumerate()
                .filter(shown)
                .take(ROWS)
                .map(|(_, row)| {
                    vec![
                        row.state.clone(),
                        grouped(row.records),
                        plain(&row.file),
                        plain(&row.flaw),
                    ]
                })
                .collect(),
        }
    }
}

fn pictures(report: &Report) -> Vec<Picture> {
    let stats = &report.stats;
    let picture = |title, what, rows: &[Row]| {
        let more = rows.len().saturating_sub(BARS);
        let rest = if more > 0 { format!("and {more} more") } else { String::new() };
        Picture { title, svg: by_name(rows, BARS, what), rest }
    };
    let all = [
        ("By tool", "tool", &stats.by_tool),
        ("By rule", "rule", &stats.by_rule),
        ("By host", "host", &stats.by_host),
        ("By who asked", "principal", &stats.by_principal),
    ];
    let there = all.into_iter().filter(|(_, _, rows)| !rows.is_empty());
    there.map(|(title, what, rows)| picture(title, what, rows)).collect()
}

fn named(row: &Row) -> Named {
    Named { name: plain(&row.name), count: grouped(row.calls.total) }
}

impl DenialPart {
    fn of(denial: &Denial) -> DenialPart {
        DenialPart {
            place: denial.seq.to_string(),
            time: to_the_second(&denial.ts),
            session: plain(&denial.session),
            tool: plain(&denial.tool),
            about: clip(&denial.about),
            rules: plain(&denial.rules.join(", ")),
            reason: clip(&denial.reason),
        }
    }
}

/// A text that fits a cell.
fn clip(text: &str) -> String {
    const MOST: usize = 240;
    let shown = plain(text);
    match shown.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", shown.get(..at).unwrap_or_default()),
        None => shown,
    }
}

fn told_of(shown: usize, all: u64) -> String {
    match u64::try_from(shown).unwrap_or(u64::MAX) >= all {
        true => "All of them, the newest first.".to_owned(),
        false => format!("The newest {shown} of {}.", grouped(all)),
    }
}

fn latency(latency: &Latency) -> String {
    if latency.count == 0 {
        return "Nothing was measured.".to_owned();
    }
    let Latency { p50_us, p99_us, max_us, .. } = *latency;
    format!(
        "Half of the decisions took no more than {}, 99 of 100 no more than {}, the slowest {}.",
        us(p50_us),
        us(p99_us),
        us(max_us)
    )
}

fn us(us: u64) -> String {
    if us < 1_000 { format!("{us} µs") } else { span_us(us) }
}

fn span_us(us: u64) -> String {
    if us < 10_000 { format!("{}.{} ms", us / 1_000, us % 1_000 / 100) } else { span(us / 1_000) }
}

fn waits(waiting: &Latency, asked: u64) -> String {
    match (waiting.count, asked) {
        (_, 0) => "Nothing was put to a person.".to_owned(),
        (0, asked) => {
            format!("{} calls were put to a person; no answer is in the log.", grouped(asked))
        }
        (answered, asked) => format!(
            "{} calls were put to a person, {} answers are in the log. Half of them came within \
             {}, 99 of 100 within {}; the longest took {}.",
            grouped(asked),
            grouped(answered),
            us(waiting.p50_us),
            us(waiting.p99_us),
            us(waiting.max_us)
        ),
    }
}

fn approved(report: &Report) -> Vec<ApprovedPart> {
    let rows = report.stats.always_approved.iter().take(ROWS);
    rows.map(|row| ApprovedPart {
        rule: plain(&row.rule),
        tool: plain(&row.tool),
        yes: format!("{} of {}", grouped(row.yes), grouped(row.asked)),
        waited: span(row.waited_ms),
        example: row.evidence.first().map(|one| clip(&one.about)).unwrap_or_default(),
    })
    .collect()
}

fn findings(report: &Report) -> Vec<FindingPart> {
    let rows = report.findings.iter().take(ROWS);
    rows.map(|row| FindingPart {
        place: row.seq.to_string(),
        time: to_the_second(&row.ts),
        code: plain(&row.code),
        what: clip(&row.what),
        meaning: row.meaning.clone(),
        session: row.session.as_deref().map(plain).unwrap_or_default(),
    })
    .collect()
}

fn slow(report: &Report) -> Vec<Vec<String>> {
    let rows = report.stats.slow_calls.iter().take(10);
    rows.map(|row| vec![span_us(row.us), row.seq.to_string(), plain(&row.tool), clip(&row.about)])
        .collect()
}

fn policies(report: &Report) -> Vec<Vec<String>> {
    let rows = report.policies.iter().rev().take(ROWS);
    rows.map(|load| {
        let digest = load.sha256.get(..12).unwrap_or(&load.sha256);
        vec![
            to_the_second(&load.ts),
            plain(&load.name),
            plain(digest),
            load.rules.to_string(),
            plain(&load.cause),
        ]
    })
    .collect()
}

impl SessionPart {
    fn of(row: &SessionRow) -> SessionPart {
        let open = if row.ended { "" } else { " …" };
        SessionPart {
            session: plain(&row.session),
            started: to_the_second(&row.started),
            lasted: format!("{}{open}", span(row.lasted_ms)),
            calls: grouped(row.calls),
            denied: grouped(row.denied),
            asked: grouped(row.asked),
            findings: grouped(row.findings + row.unknown),
            hosts: row.hosts.to_string(),
            cost: row.cost_usd.map_or_else(String::new, |cost| format!("${cost:.2}")),
        }
    }
}
