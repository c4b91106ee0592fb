//! `toolgate policy test`: how the examples and tests of a policy come out.

use super::{Outcome, readable};
use crate::author::check::{check, workspace_in};
use crate::author::report::Report;
use crate::cli::out::{complain, say};
use crate::cli::show::colour;
use crate::policy::builtin::Protected;
use crate::policy::diagnostic::{ascii, human};
use crate::policy::pattern::Anchors;
use crate::redact::Redactor;
use crate::service::load::sources;
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Policy files, or directories of them; `-` is standard input [default: the shipped policy]
    files: Vec<PathBuf>,
    /// How they are told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Only those whose rule, name or text contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// A line for each example and test
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Failures in their place, and how many there are of each
    Human,
    /// One JSON object
    Json,
    /// JUnit's XML, for CI
    Junit,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for file in &arguments.files {
        all.extend(readable(file).map_err(|error| error.to_string())?);
    }
    if arguments.files.is_empty() {
        all = sources(&[]).map_err(|error| error.to_string())?;
    }
    let anchors = Anchors::frozen(workspace_in(&all));
    let checked = check(&all, &anchors, &Protected::default(), &redactor);
    let report = Report::of(checked, &all, arguments.filter.as_deref());
    if arguments.format != Format::Json && !report.mistakes.is_empty() {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        complain!("{}", human::render_all(&report.mistakes, &all, colour));
    }
    if let Some(missed) = report.missed() {
        complain!("error: {missed}");
    }
    match arguments.format {
        Format::Human => crate::cli::out::text(&report.human(arguments.verbose, colour())),
        Format::Json => say!("{}", ascii(&format!("{:#}", report.json()))),
        Format::Junit => crate::cli::out::text(&report.junit()),
    }
    Ok(if report.holds() { Outcome::Fine } else { Outcome::Findings })
}
