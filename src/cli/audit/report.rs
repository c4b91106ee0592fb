//! `toolgate audit report`: one page that holds all it needs.

use super::pick::Pick;
use crate::audit::{blob_report, false_indexes, verify};
use crate::cli::Outcome;
use crate::cli::out::{self, complain};
use crate::review::page;
use crate::review::report::{Integrity, Reporting};
use std::cell::Cell;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pick: Pick,
    /// Where it is written; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "toolgate-report.html")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let directory = arguments.pick.directory.path()?;
    let mut reporting = Reporting::default();
    arguments.pick.each(&whole, |entry| reporting.take(&entry.record))?;
    let found = verify(&directory, None).map_err(|error| error.to_string())?;
    let mut integrity = Integrity::of(&found);
    let texts = blob_report(&directory, &found).map_err(|error| error.to_string())?;
    if !texts.is_fine() {
        let count = texts.missing.len() + texts.hearsay.len() + texts.changed.len();
        integrity.flaws.push(format!("{count} texts beside the log are gone or changed"));
        complain!("warning: {count} texts beside the log are gone or changed: `audit verify`");
        whole.set(Outcome::Findings);
    }
    for file in false_indexes(&directory).unwrap_or_default() {
        // What this page counts was counted by it. The records themselves are what they are.
        complain!("warning: the index of `{file}` is false: `audit verify --rebuild-index`");
        whole.set(Outcome::Findings);
        integrity.flaws.push(format!(
            "the index of {file} is not that of its lines: what is counted here leaves records \
             out; `toolgate audit verify --rebuild-index` makes it anew"
        ));
    }
    if integrity.state == "BROKEN" {
        complain!("warning: the log is BROKEN, and the report says so: `toolgate audit verify`");
        whole.set(Outcome::Findings);
    }
    let kept = super::kept(&directory);
    let policies = arguments.pick.policies(&whole)?;
    let report = reporting.finish((&policies, &kept), integrity, arguments.pick.told());
    let page = page::report(&report)?;
    if arguments.out.as_os_str() == "-" {
        out::text(&page);
    } else {
        super::write_file(&arguments.out, page.as_bytes())?;
        complain!("written to `{}`", arguments.out.display());
    }
    Ok(whole.get())
}
