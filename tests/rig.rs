//! Real bash as the oracle of the reader: each text of `tests/cases/rig` runs in bubblewrap, and
//! does what its row claims, or does not; then toolgate must say so of the same text.
//!
//! An effect that happened and that no access covers is a hole. One that did not happen and that an
//! access calls certain is a lie, which refuses honest work. Both fail the test, unless the row is
//! listed as a `[[gap]]` with its reason; a gap that has closed is told, and fails `RIG=all`.
//!
//! 150 rows, drawn with a fixed seed, run by default; `RIG=all` runs every one, and `RIG=<part of a
//! technique>` only those, with what toolgate says of each. `tests/install` installs what they run.
#![cfg(test)]

#[path = "rig/reader.rs"]
mod reader;
#[path = "rig/rows.rs"]
mod rows;
#[path = "rig/sandbox.rs"]
mod sandbox;

use reader::Told;
use rows::{Effect, Gap, Row};
use sandbox::Sandbox;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const DRAWN: usize = 150;
const SEED: u64 = 20_261_124;
const AT_ONCE: usize = 4;
/// There is a row for each of so many by hand; fewer means that a table is no longer read.
const ROWS_MIN: usize = 240;

/// Which rows run, and how strictly.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Drawn,
    All,
    Part,
}

struct Rig {
    sandbox: Sandbox,
    gaps: Vec<Gap>,
    asked: Asked,
}

impl Rig {
    /// Runs a row and asks the reader of it; an error if the two do not fit.
    fn judge(&self, row: &Row) -> Result<Told, String> {
        let outcome = self.sandbox.run(row)?;
        if outcome.has(&row.effect) != row.happens {
            return Err(format!("the claim is wrong: {outcome}"));
        }
        let argv = match &row.effect {
            Effect::Runs(words) => outcome.argv(words),
            _ => None,
        };
        let accesses = reader::accesses(row);
        let told = reader::told(row, argv.map(Vec::as_slice), &accesses);
        let list = reader::listed(&accesses);
        if self.asked == Asked::Part {
            println!("{} {told:?}: {}\n{list}", row.happens, row.text);
        }
        let holds = if row.happens { told > Told::Nothing } else { told < Told::Certain };
        let gap = self.gaps.iter().find(|gap| gap.text == row.text);
        let excuse = gap.map(|gap| gap.why.clone());
        let excuse = excuse.or(row.way.map(|way| format!("{way:?}")));
        match (holds, excuse) {
            (true, None) | (false, Some(_)) => Ok(told),
            (true, Some(excuse)) if self.asked == Asked::All => {
                Err(format!("toolgate has it right: strike out `{excuse}`"))
            }
            (true, Some(excuse)) => {
                println!("toolgate has it right, strike out `{excuse}`: {}", row.text);
                Ok(told)
            }
            (false, None) if row.happens => {
                Err(format!("it happened, and no access says so:\n{list}"))
            }
            (false, None) => Err(format!("it did not happen, and is called certain:\n{list}")),
        }
    }

    /// What came of each row.
    fn run(&self, rows: &[Row]) -> Vec<(Row, Result<Told, String>)> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let told = self.judge(row);
                        done.lock().unwrap().push((row.clone(), told));
                    }
                });
            }
        });
        done.into_inner().unwrap()
    }
}

#[test]
fn what_happens_is_told_and_what_does_not_is_not_called_certain() {
    let (rows, gaps) = rows::all();
    assert!(rows.len() >= ROWS_MIN, "only {} rows", rows.len());
    let part = std::env::var("RIG").unwrap_or_default();
    let (asked, rows) = match part.as_str() {
        "" => (Asked::Drawn, rows::draw(rows, DRAWN, SEED)),
        "all" => (Asked::All, rows),
        part => {
            let of = |row: &Row| row.technique.contains(part);
            (Asked::Part, rows.into_iter().filter(of).collect())
        }
    };
    assert!(!rows.is_empty(), "no technique has `{part}` in its name");
    let verdicts = Rig { sandbox: Sandbox::new(), gaps, asked }.run(&rows);
    assert_eq!(verdicts.len(), rows.len());

    let mut table: BTreeMap<(bool, Told), usize> = BTreeMap::new();
    let mut wrong = String::new();
    for (row, told) in &verdicts {
        match told {
            Ok(told) => *table.entry((row.happens, *told)).or_default() += 1,
            Err(error) => {
                let kind = if row.happens { "attack" } else { "look-alike" };
                let Row { technique, text, effect, .. } = row;
                wrong += &format!("{technique}, {kind}: {text}\n  {effect:?}\n  {error}\n\n");
            }
        }
    }
    println!("{} rows", rows.len());
    for ((happens, told), count) in table {
        println!("{count:5}  {}, told: {told:?}", if happens { "attacks" } else { "look-alikes" });
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What a text could reach: the sandbox shows nothing of the machine, and lets nothing out.
#[test]
fn the_sandbox_is_closed() {
    let sandbox = Sandbox::new();
    for (text, printed) in [
        ("printenv | cut -d= -f1 | sort | paste -sd ' '", "HOME LANG PATH PWD SHLVL _\n"),
        (
            "ls / /home /tmp | paste -sd ' '",
            "/: bin dev etc home lib lib64 proc rig sbin tmp usr \
           work  /home: agent  /tmp:\n",
        ),
        ("touch /usr/x /usr/bin/x /rig/real/x 2>&1 | grep -c 'Read-only'", "3\n"),
        ("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "lo\n"),
        (
            "grep -E 'CapEff|NoNewPrivs' /proc/self/status | tr -d '[:blank:]'",
            "CapEff:0000000000000400\nNoNewPrivs:1\n",
        ),
        ("kill -9 1; echo here", "here\n"),
    ] {
        let row = Row::harmless(text);
        assert_eq!(sandbox.run(&row).unwrap().printed, printed, "{text}");
    }
}
