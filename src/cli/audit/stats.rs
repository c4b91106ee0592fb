//! `toolgate audit stats`: what the log comes to, counted.

mod lists;
mod screen;

use super::pick::Pick;
use super::table;
use crate::cli::Outcome;
use crate::cli::out::{self, complain};
use crate::review::policies::{Kept, Policies};
use crate::review::stats::{Comparing, Comparison, Counting, Counts, Row, Stats, rule_changes};
use std::cell::Cell;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pick: Pick,
    /// Only these parts, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    by: Vec<Part>,
    /// Compare what was decided under two policies, by their names or the beginnings of their
    /// digests, as `--compare team@1,team@2`; `--by policy` compares the last two
    #[arg(long, value_name = "OLD,NEW", value_delimiter = ',', num_args = 1..=2)]
    compare: Vec<String>,
    /// Rows of each part
    #[arg(short = 'n', long, alias = "limit", default_value_t = 10, value_name = "N")]
    top: usize,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Style::Table)]
    format: Style,
}

/// A part of the statistics.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// Decisions by tool
    Tool,
    /// Decisions by the rules that made them; one counts for each of its rules
    Rule,
    /// By rules in shadow, which are told only
    Shadow,
    /// Decisions by host
    Host,
    /// Decisions by who asked
    Principal,
    /// Decisions by policy, and what changed with the last one
    Policy,
    /// Paths and hosts that were themselves denied
    Denied,
    /// Rules that never fired
    NeverFired,
    /// Questions that are always answered yes
    Approved,
    /// All questions: who asked, what was answered, how long that took
    Approvals,
    /// Secrets that were taken out, and where they stood
    Secrets,
    /// Decisions and calls that took longest
    Slow,
    /// Findings, losses, calls without a known end
    Findings,
}

/// How they are printed.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Style {
    /// For people
    #[value(alias = "human")]
    Table,
    /// One JSON document with everything
    Json,
    /// One row for each count
    Csv,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let directory = arguments.pick.directory.path()?;
    let policies = arguments.pick.policies(&whole)?;
    let mut comparing = comparing(arguments, &policies)?;
    let mut counting = Counting::default();
    arguments.pick.each(&whole, |entry| {
        counting.take(&entry.record);
        if let Some(comparing) = &mut comparing {
            comparing.take(&entry.record);
        }
    })?;
    let kept = super::kept(&directory);
    let stats = counting.finish(&policies, &kept);
    let mut compared = comparing.map(Comparing::finish);
    if let Some(compared) = &mut compared {
        compare_rules(compared, &policies, &kept);
    }
    if stats.records == 0 {
        complain!("no record in {}", arguments.pick.told());
    }
    match arguments.format {
        Style::Json => table::json(&serde_json::json!({ "stats": stats, "compared": compared }))?,
        Style::Csv => csv(&stats, &arguments.by)?,
        Style::Table => {
            let parts = (arguments.by.as_slice(), arguments.top);
            out::text(&screen::whole(&stats, compared.as_ref(), parts));
        }
    }
    Ok(whole.get())
}

/// The two policies that are compared: those that were named, or the last two.
fn comparing(arguments: &Arguments, policies: &Policies) -> Result<Option<Comparing>, String> {
    match arguments.compare.as_slice() {
        [] => {}
        [before, after] => {
            let (before, after) = (policies.named(before)?, policies.named(after)?);
            return Ok(Some(Comparing::of(&before.sha256, &after.sha256)));
        }
        _ => return Err("--compare takes two policies: --compare OLD,NEW".to_owned()),
    }
    let distinct = policies.distinct();
    Ok(match distinct.as_slice() {
        [.., before, after] if arguments.by.contains(&Part::Policy) => {
            Some(Comparing::of(&before.sha256, &after.sha256))
        }
        _ => None,
    })
}

/// What changed in the rules themselves, if both policies are kept.
fn compare_rules(compared: &mut Comparison, policies: &Policies, kept: &dyn Kept) {
    let policy = |digest: &str| {
        let load = policies.find(digest).ok_or_else(|| "the log does not tell of it".to_owned())?;
        kept.policy(load)
    };
    match (policy(&compared.before), policy(&compared.after)) {
        (Ok(before), Ok(after)) => compared.rules = Some(rule_changes(&before, &after)),
        (Err(why), _) | (_, Err(why)) => compared.rules_not_known = why,
    }
}

fn csv(stats: &Stats, parts: &[Part]) -> Result<(), String> {
    if let Some(table) = parts.iter().find_map(|part| lists::of(stats, *part)) {
        let [_] = parts else {
            return Err("--format csv: such a part has columns of its own; ask for it alone, \
                        or for --format json"
                .to_owned());
        };
        return table::csv(&table.head, &table.rows);
    }
    let tables: [(Part, &str, &[Row]); 8] = [
        (Part::Tool, "tool", &stats.by_tool),
        (Part::Rule, "rule", &stats.by_rule),
        (Part::Shadow, "shadow", &stats.by_shadow_rule),
        (Part::Host, "host", &stats.by_host),
        (Part::Principal, "principal", &stats.by_principal),
        (Part::Policy, "policy", &stats.by_policy),
        (Part::Denied, "denied_path", &stats.denied_paths),
        (Part::Denied, "denied_host", &stats.denied_hosts),
    ];
    let mut rows = Vec::new();
    let wanted = |part: Part| parts.is_empty() || parts.contains(&part);
    for (_, name, table) in tables.into_iter().filter(|(part, ..)| wanted(*part)) {
        for Row { name: of, calls } in table {
            let Counts { total, allow, ask, deny, defer } = calls;
            let counts = [total, allow, ask, deny, defer].map(ToString::to_string);
            rows.push([vec![name.to_owned(), of.clone()], counts.to_vec()].concat());
        }
    }
    if wanted(Part::Findings) {
        for (code, count) in &stats.findings {
            let none = vec![String::new(); 4];
            let row = vec!["finding".to_owned(), code.clone(), count.to_string()];
            rows.push([row, none].concat());
        }
    }
    table::csv(&["by", "name", "total", "allow", "ask", "deny", "defer"], &rows)
}

/// What is compared, if anything is.
pub(super) type Compared<'a> = Option<&'a Comparison>;
