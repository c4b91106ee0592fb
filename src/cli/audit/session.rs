//! `toolgate audit session`: one session as it went.

mod screen;

use super::pick::Stretch;
use super::{strangers, table};
use crate::audit::query::Source;
use crate::cli::Outcome;
use crate::cli::out::{self, complain};
use crate::cli::show::plain;
use crate::review::session::{Timeline, Timelines};
use std::cell::Cell;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The session's id, or its beginning
    session: String,
    #[command(flatten)]
    stretch: Stretch,
    /// Of which user, where several have a session of that id
    #[arg(long)]
    uid: Option<u32>,
    /// How it is told
    #[arg(long, default_value = "human", value_parser = super::human_or_json())]
    format: String,
    /// How wide, in columns [default: the terminal's]
    #[arg(long)]
    width: Option<usize>,
    /// Write it as one page that holds all it needs
    #[arg(short = 'o', long, visible_alias = "out", value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let source = Source::directory(&arguments.stretch.directory.path()?);
    let session = strangers::session(&source, &arguments.session)?;
    let session = session.as_ref().unwrap_or(&arguments.session);
    let Some(timeline) = timeline(arguments, session, &whole)? else {
        complain!("error: no record is of the session `{}`", plain(&arguments.session));
        return Ok(Outcome::Findings);
    };
    if let Some(file) = &arguments.html {
        let page = crate::review::page::session(&timeline)?;
        super::write_file(file, page.as_bytes())?;
        complain!("written to `{}`", file.display());
    } else if arguments.format == "json" {
        table::json(&timeline)?;
    } else {
        let width = arguments.width.unwrap_or_else(table::width);
        out::text(&screen::whole(&timeline, width));
    }
    Ok(whole.get())
}

fn timeline(
    arguments: &Arguments,
    session: &str,
    whole: &Cell<Outcome>,
) -> Result<Option<Timeline>, String> {
    let mut users: Vec<Option<u32>> = Vec::new();
    let mut timelines = Timelines::default();
    arguments.stretch.each_of(session, whole, |entry| {
        let record = &entry.record;
        if arguments.uid.is_some_and(|uid| record.uid != Some(uid)) {
            return;
        }
        if !users.contains(&record.uid) {
            users.push(record.uid);
        }
        if users.first() == Some(&record.uid) {
            timelines.take(record);
        }
    })?;
    if users.len() > 1 {
        let others = users.iter().skip(1).flatten().map(u32::to_string).collect::<Vec<_>>();
        complain!("warning: other users have a session of that id: --uid {}", others.join(" or "));
    }
    Ok(timelines.finish())
}
