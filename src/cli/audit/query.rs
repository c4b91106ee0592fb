//! `toolgate audit query`: the records that fit a filter, or how many, counted by what they have.

use super::filter::{FilterArguments, source};
use super::listing::{self, Listing};
use super::table::{self, Style};
use super::{Directory, strangers};
use crate::audit::query::{Answer, Field, Filter, Group, Grouping, Groups, Order, Source};
use crate::audit::{Entry, Unreadable};
use crate::cli::Outcome;
use crate::cli::out::{self, complain, say};
use crate::cli::show::plain;
use crate::policy::diagnostic::did_you_mean;
use crate::review::visible::cell;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// A file of the log instead of all of it; `-` is plain lines on standard input
    file: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Print only how many there are
    #[arg(long, help_heading = "What of them")]
    count: bool,
    /// Count by these fields, separated by commas
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', help_heading = "What of them")]
    by: Vec<String>,
    /// Count by spans of time: 5m, 1h, 1d
    #[arg(long, value_name = "DURATION", help_heading = "What of them")]
    bucket: Option<String>,
    /// Only the largest groups
    #[arg(long, value_name = "N", help_heading = "What of them")]
    top: Option<usize>,
    /// The order of groups
    #[arg(long, value_parser = ["count", "key"], help_heading = "What of them")]
    sort: Option<String>,
    /// Only so many records, or the largest groups
    #[arg(short = 'n', long, value_name = "N", help_heading = "What of them")]
    limit: Option<usize>,
    /// The newest first
    #[arg(long, help_heading = "What of them")]
    reverse: bool,
    /// Only these fields of each record: seq, time, target (the command, path or address), why,
    /// text (the whole line), and all that --by takes: decision, kind, tool, rule, matched,
    /// session, agent, host, path, uid, runtime, code, policy, basis, call
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', help_heading = "What of them")]
    fields: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Style::Table)]
    format: Style,
    /// Say on standard error how the filter is written, and what the answer took
    #[arg(long)]
    print_command: bool,
    /// End with 1 if a record that fits is a denial
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let filter = arguments.filter.filter()?;
    if arguments.exit_code && arguments.file.as_deref() == Some(std::path::Path::new("-")) {
        return Err("--exit-code: standard input can be read once only; give a file".to_owned());
    }
    let source = source(&arguments.directory, arguments.file.as_deref())?;
    let counts = arguments.count || !arguments.by.is_empty() || arguments.bucket.is_some();
    if arguments.print_command {
        complain!("{}", plain(format!("toolgate audit query {}", filter.to_cli()).trim_end()));
    }
    let is_stdin = arguments.file.as_deref() == Some(std::path::Path::new("-"));
    let filter = match is_stdin {
        true => filter,
        false => strangers::whole_session(&source, &filter)?.unwrap_or(filter),
    };
    let whole = match counts {
        true => count(arguments, &source.watched(progress()), &filter)?,
        false => {
            let (outcome, is_empty) = rows(arguments, &source, &filter)?;
            if is_empty {
                complain!("nothing fits");
            }
            if is_empty && !is_stdin {
                strangers::tell(&source, &filter)?;
            }
            outcome
        }
    };
    if !arguments.exit_code || whole == Outcome::Findings {
        return Ok(whole);
    }
    let again = self::source(&arguments.directory, arguments.file.as_deref())?;
    let by = again.group(&filter, &[Grouping::by(&[Field::Decision])]);
    let by = by.map_err(|error| error.to_string())?.value;
    let denied = by
        .iter()
        .flat_map(|groups| &groups.groups)
        .any(|group| group.key.first().is_some_and(|effect| effect == "deny"));
    Ok(if denied { Outcome::Findings } else { whole })
}

/// How far the work has come, on standard error, if that is a terminal.
fn progress() -> impl Fn(usize, usize) + Send + Sync + 'static {
    let bar = indicatif::ProgressBar::new(0);
    move |done, of| {
        bar.set_length(u64::try_from(of).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
        if done + 1 >= of {
            bar.finish_and_clear();
        }
    }
}

fn count(arguments: &Arguments, source: &Source, filter: &Filter) -> Result<Outcome, String> {
    let by = arguments.by.iter().map(|name| field(name)).collect::<Result<Vec<_>, _>>()?;
    let bucket = match &arguments.bucket {
        Some(text) => Some(Grouping::span(text).ok_or_else(|| {
            format!("--bucket: `{text}` is no span of time; write 30s, 5m, 1h or 1d")
        })?),
        None => None,
    };
    if by.is_empty() && bucket.is_none() {
        let answer = source.count(filter).map_err(|error| error.to_string())?;
        match arguments.format {
            Style::Json | Style::Jsonl => {
                say!("{}", serde_json::json!({ "count": answer.value }));
            }
            Style::Csv => say!("count\n{}", answer.value),
            Style::Table => say!("{}", answer.value),
        }
        let is_stdin = arguments.file.as_deref() == Some(std::path::Path::new("-"));
        if answer.value == 0 && !is_stdin {
            let source = self::source(&arguments.directory, arguments.file.as_deref())?;
            strangers::tell(&source, filter)?;
        }
        return Ok(told(arguments, &answer));
    }
    let grouping = Grouping { by, bucket };
    let mut answer = source.group(filter, &[grouping]).map_err(|error| error.to_string())?;
    let mut groups = answer.value.pop().unwrap_or_default();
    let by_count = arguments.sort.as_deref().map_or(bucket.is_none(), |sort| sort == "count");
    if by_count {
        groups.sort_by_count();
    }
    if let Some(top) = arguments.top.or(arguments.limit) {
        let mut largest = groups.clone();
        largest.sort_by_count();
        largest.groups.truncate(top);
        groups.groups.retain(|group| largest.groups.contains(group));
    }
    if groups.uncounted > 0 {
        complain!("warning: {} records are in groups beyond the most", groups.uncounted);
    }
    if groups.groups.is_empty() {
        complain!("nothing fits");
    }
    print_groups(arguments.format, &groups)?;
    Ok(told(arguments, &answer))
}

fn field(name: &str) -> Result<Field, String> {
    named(name, &[])
}

/// The field of a name, which some call otherwise; `more` are names that would do besides.
fn named(name: &str, more: &[&'static str]) -> Result<Field, String> {
    let known = if name == "effect" { "decision" } else { name };
    Field::parse(known).ok_or_else(|| {
        let names = [more, &Field::ALL.map(Field::as_str)].concat();
        match did_you_mean(name, names.iter().copied()) {
            Some(meant) => format!("there is no field `{name}`; did you mean `{meant}`?"),
            None => format!("there is no field `{name}`; there are {}", names.join(", ")),
        }
    })
}

fn print_groups(format: Style, groups: &Groups) -> Result<(), String> {
    let Grouping { by, bucket } = &groups.grouping;
    let time = bucket.map(|_| "time").into_iter();
    let head: Vec<&str> =
        time.chain(by.iter().map(|field| field.as_str())).chain(["count"]).collect();
    let texts = |group: &Group| -> Vec<String> {
        let time = group.bucket.map(moment).into_iter();
        time.chain(group.key.iter().cloned()).chain([group.count.to_string()]).collect()
    };
    let object = |group: &Group| {
        let mut object = serde_json::Map::new();
        for (name, text) in head.iter().zip(texts(group)) {
            let value = match *name {
                "count" => group.count.into(),
                _ => serde_json::Value::String(text),
            };
            object.insert((*name).to_owned(), value);
        }
        serde_json::Value::Object(object)
    };
    match format {
        Style::Json => {
            let all: Vec<_> = groups.groups.iter().map(object).collect();
            say!("{}", serde_json::Value::Array(all));
        }
        Style::Jsonl => groups.groups.iter().for_each(|group| say!("{}", object(group))),
        Style::Csv => csv_lines(&head, groups.groups.iter().map(texts))?,
        Style::Table if groups.groups.is_empty() => {}
        Style::Table => {
            let rows: Vec<Vec<String>> = groups.groups.iter().map(texts).collect();
            say!("{}", table::table(&head, &rows));
        }
    }
    Ok(())
}

/// CSV as it comes, each text visible and no formula.
fn csv_lines(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<(), String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    writer.write_record(head).map_err(|error| failed(&error))?;
    for row in rows {
        writer.write_record(row.iter().map(|text| cell(text))).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    out::text(&String::from_utf8_lossy(&bytes));
    Ok(())
}

fn moment(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| micros.to_string(), |time| time.to_string())
}

fn told<T>(arguments: &Arguments, answer: &Answer<T>) -> Outcome {
    for note in &answer.notes {
        complain!("warning: {}", plain(note));
    }
    answer.unreadable.iter().for_each(complain_of);
    if answer.unreadable_more > 0 {
        complain!("warning: and {} more that cannot be read", answer.unreadable_more);
    }
    if arguments.print_command {
        let cost = answer.cost;
        complain!(
            "{} files: {} outside of the time, {} by their index; {} blocks of {} bytes were read",
            cost.files,
            cost.passed,
            cost.by_index,
            cost.blocks,
            cost.bytes
        );
    }
    match answer.unreadable.is_empty() {
        true => Outcome::Fine,
        false => Outcome::Findings,
    }
}

fn complain_of(bad: &Unreadable) {
    complain!("warning: {}", plain(&bad.to_string()));
}

/// Rows of a table that are put in columns together.
const TOGETHER: usize = 1_000;

/// Prints the records; whether there were none.
fn rows(
    arguments: &Arguments,
    source: &Source,
    filter: &Filter,
) -> Result<(Outcome, bool), String> {
    let order = match arguments.reverse {
        true => Order::NewestFirst,
        false => Order::OldestFirst,
    };
    let columns = columns(arguments)?;
    let mut found = source.rows(filter, order).map_err(|error| error.to_string())?;
    let mut outcome = Outcome::Fine;
    let mut left = arguments.limit.or(arguments.top).unwrap_or(usize::MAX);
    let mut printer = Printer {
        format: arguments.format,
        whole: arguments.fields.is_empty(),
        columns,
        listing: Listing::new(),
        all: Vec::new(),
        rows: Vec::new(),
    };
    if arguments.format == Style::Csv {
        say!("{}", printer.columns.join(","));
    }
    let mut is_empty = true;
    while left > 0 && !out::is_closed() {
        let entry = match found.next() {
            Some(Ok(entry)) => entry,
            Some(Err(bad)) => {
                complain_of(&bad);
                outcome = Outcome::Findings;
                continue;
            }
            None => break,
        };
        left -= 1;
        is_empty = false;
        printer.take(&entry)?;
    }
    printer.finish();
    found.notes().iter().for_each(|note| complain!("warning: {}", plain(note)));
    Ok((outcome, is_empty))
}

/// Prints one record after the other.
struct Printer {
    format: Style,
    /// Whole records, not only some fields.
    whole: bool,
    columns: Vec<String>,
    listing: Listing,
    /// What stands in one JSON document.
    all: Vec<serde_json::Value>,
    /// Rows of a table that wait for each other.
    rows: Vec<Vec<String>>,
}

impl Printer {
    fn take(&mut self, entry: &Entry) -> Result<(), String> {
        let texts = || self.columns.iter().map(|name| text_of(name, entry)).collect::<Vec<_>>();
        match (self.format, self.whole) {
            (Style::Jsonl, true) => say!("{}", entry.text),
            (Style::Jsonl, false) => say!("{}", object(&self.columns, texts())),
            (Style::Json, true) => {
                self.all.push(serde_json::from_str(&entry.text).unwrap_or_default());
            }
            (Style::Json, false) => self.all.push(object(&self.columns, texts())),
            (Style::Csv, _) => say!("{}", csv_line(&texts())?),
            (Style::Table, true) => self.listing.print(&entry.record),
            (Style::Table, false) => {
                let texts = texts();
                self.rows.push(texts);
                if self.rows.len() >= TOGETHER {
                    self.flush();
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        let head: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        say!("{}", table::table(&head, &self.rows));
        self.rows.clear();
    }

    fn finish(mut self) {
        if !self.rows.is_empty() {
            self.flush();
        }
        if self.format == Style::Json {
            say!("{}", serde_json::Value::Array(self.all));
        }
    }
}

fn object(names: &[String], texts: Vec<String>) -> serde_json::Value {
    let fields = names.iter().cloned().zip(texts.into_iter().map(serde_json::Value::String));
    serde_json::Value::Object(fields.collect())
}

fn csv_line(texts: &[String]) -> Result<String, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(texts.iter().map(|text| cell(text))).map_err(|error| error.to_string())?;
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

/// What is printed of each record besides what can be counted by.
const OWN: [&str; 6] = ["seq", "time", "target", "why", "reason", "text"];

fn columns(arguments: &Arguments) -> Result<Vec<String>, String> {
    if arguments.fields.is_empty() {
        let usual = ["seq", "time", "kind", "decision", "tool", "session", "target", "rule", "why"];
        return Ok(usual.map(str::to_owned).to_vec());
    }
    for name in &arguments.fields {
        if !OWN.contains(&own(name)) {
            named(name, &OWN).map_err(|why| format!("--fields: {why}"))?;
        }
    }
    Ok(arguments.fields.clone())
}

/// What other commands and the log itself call these.
fn own(name: &str) -> &str {
    match name {
        "record" | "number" => "seq",
        "ts" => "time",
        "what" | "about" => "target",
        name => name,
    }
}

fn text_of(name: &str, entry: &Entry) -> String {
    let record = &entry.record;
    match own(name) {
        "seq" => record.seq.to_string(),
        "time" => record.ts.clone(),
        "target" => listing::what(record),
        "why" | "reason" => match &record.decision {
            Some(decision) => decision.reason.clone(),
            None => super::told(record),
        },
        "text" => entry.text.clone(),
        name => {
            // An id of a rule has blanks and commas in it.
            let between = if matches!(name, "rule" | "matched") { "; " } else { " " };
            field(name).map(|field| field.of(record).join(between)).unwrap_or_default()
        }
    }
}
