//! Questions to a million records beside ripgrep, jq, DuckDB and SQLite, each a process of its own,
//! in one run: `cargo bench --bench query [-- RECORDS]`. Wall and CPU time of each, the best of five
//! (one for what takes longer than two seconds), the files in the page cache. A peer that is not
//! installed is told as missing. `DUCKDB_PYTHON` names a Python that has the `duckdb` module.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot run may stop"
)]
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

#[path = "../tests/week/mod.rs"]
mod week;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 5;
const SLOW_SECONDS: f64 = 2.0;

/// Seconds by the wall and of CPU, and what it printed.
struct Took {
    wall: f64,
    cpu: f64,
    said: String,
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let records = asked.unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a directory");
    let (plain, sealed) = (dir.path().join("plain"), dir.path().join("sealed"));
    // One file, so that each peer reads what we read.
    let options = week::Options { segment_bytes: u64::MAX, ..week::Options::records(records) };
    let made = week::write(&plain, options).expect("a log");
    let began = Instant::now();
    week::write(&sealed, week::Options::records(records)).expect("a log");
    toolgate::audit::seal_all(&sealed).expect("a sealed log");
    let bytes = |end: &str| -> u64 {
        let files = std::fs::read_dir(&sealed).expect("files").flatten();
        let files = files.filter(|file| file.file_name().to_string_lossy().ends_with(end));
        files.map(|file| file.metadata().map_or(0, |about| about.len())).sum()
    };
    println!(
        "{} records, {} bytes a record; sealed {:.1} and {:.1} of index ({:.1} s to make and seal)",
        made.records,
        made.bytes / made.records,
        bytes(".zst") as f64 / made.records as f64,
        bytes(".idx") as f64 / made.records as f64,
        began.elapsed().as_secs_f64(),
    );
    let name = format!("toolgate-{}-000001.jsonl", week::STREAM);
    let file = plain.join(name);
    let (plain, sealed) = (plain.to_string_lossy(), sealed.to_string_lossy());
    let us = |dir: &str, rest: &[&str]| {
        let mut arguments = vec!["audit", "query", "--audit", dir];
        arguments.extend(rest);
        run(env!("CARGO_BIN_EXE_toolgate"), &arguments)
    };
    let text = file.to_string_lossy();
    let count = ["--decision", "deny", "--count"];
    let by = ["--by", "tool,decision", "--format", "csv"];
    println!("\ncount of denials");
    let rg = row("ripgrep -c", run("rg", &["-c", r#""decision":\{"effect":"deny""#, &text]), None);
    row("toolgate, plain", us(&plain, &count), rg);
    row("toolgate, sealed", us(&sealed, &count), rg);
    let jq = [r#"select(.decision.effect=="deny")|1"#, &text];
    row("jq", run("jq", &jq), rg);
    let duck = duckdb(&format!(
        "select count(*) from read_json('{text}', format='newline_delimited', \
         columns={{decision: 'STRUCT(effect VARCHAR)'}}) where decision.effect='deny'"
    ));
    row("DuckDB on JSONL", duck, rg);
    println!("\ngroup by tool and decision");
    let duck = duckdb(&format!(
        "select tool, decision.effect, count(*) from read_json('{text}', \
         format='newline_delimited', columns={{tool: 'VARCHAR', decision: 'STRUCT(effect \
         VARCHAR)'}}) group by all"
    ));
    let duck = row("DuckDB on JSONL", duck, None);
    row("toolgate, plain", us(&plain, &by), duck);
    row("toolgate, sealed", us(&sealed, &by), duck);
    sqlite(dir.path(), &text, duck);
    println!("\none session, newest ten");
    row("toolgate, sealed", us(&sealed, &["--session", week::story::SESSION]), None);
    row("toolgate, plain", us(&plain, &["--reverse", "--limit", "10"]), None);
}

/// The same records in a table, as a script would make it; then asked.
fn sqlite(dir: &Path, text: &str, against: Option<f64>) {
    let script = format!(
        "import json,sqlite3\nc=sqlite3.connect(r'{}')\nc.execute('create table r(tool,effect)')\n\
         c.executemany('insert into r values(?,?)',((r.get('tool'),r.get('decision',{{}}).get('effect')) \
         for r in map(json.loads,open(r'{text}'))))\nc.commit()",
        dir.join("log.db").display()
    );
    row("SQLite, made of it", run("python3", &["-c", &script]), against);
    let script = format!(
        "import sqlite3\nprint(sqlite3.connect(r'{}').execute('select tool,effect,count(*) from r \
         group by 1,2').fetchall())",
        dir.join("log.db").display()
    );
    row("SQLite, asked", run("python3", &["-c", &script]), against);
}

fn duckdb(query: &str) -> Option<Took> {
    let python = std::env::var("DUCKDB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    run(
        &python,
        &["-c", &format!("import duckdb\nprint(duckdb.sql(\"\"\"{query}\"\"\").fetchall())")],
    )
}

fn children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what children used");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    micros as f64 / 1e6
}

/// The best round of a program; nothing if it is not there or fails.
fn run(program: &str, arguments: &[&str]) -> Option<Took> {
    let mut best: Option<Took> = None;
    for _ in 0..ROUNDS {
        let (before, began) = (children(), Instant::now());
        let output = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let (wall, cpu) = (began.elapsed().as_secs_f64(), children() - before);
        let said = String::from_utf8_lossy(&output.stdout).lines().count().to_string();
        if best.as_ref().is_none_or(|best| cpu < best.cpu) {
            best = Some(Took { wall, cpu, said });
        }
        if wall > SLOW_SECONDS {
            break;
        }
    }
    best
}

/// Prints a row, and its CPU time as a multiple of another's; its CPU time.
fn row(name: &str, took: Option<Took>, against: Option<f64>) -> Option<f64> {
    let Some(Took { wall, cpu, said }) = took else {
        println!("  {name:<20} missing");
        return None;
    };
    let times = against.map(|other| format!("{:>7.2} x", cpu / other)).unwrap_or_default();
    println!("  {name:<20} {wall:>8.3} s wall {cpu:>8.3} s CPU {times}  ({said} lines)");
    Some(cpu)
}
