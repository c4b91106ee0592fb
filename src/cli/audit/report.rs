//! `toolgate audit report`: one page that holds all it needs.

use super::pick::Pick;
use crate::audit::verify;
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
    let directory = arguments.pick.stretch.directory.path()?;
    let mut reporting = Reporting::default();
    arguments.pick.each(&whole, |entry| reporting.take(&entry.record))?;
    let integrity = match verify(&directory, None) {
        Ok(found) => Integrity::of(&found),
        Err(error) => return Err(error.to_string()),
    };
    if integrity.state == "BROKEN" {
        complain!("warning: the log is BROKEN, and the report says so: `toolgate audit verify`");
        whole.set(Outcome::Findings);
    }
    let kept = super::kept(&directory);
    let policies = arguments.pick.stretch.policies(&whole)?;
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
