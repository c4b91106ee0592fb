//! The filter of the log's commands, and where they look: the same arguments for each.

use super::Directory;
use crate::audit::query::{Filter, Source};
use std::path::Path;

/// Which records are meant. All words are comma lists; `*` stands for any text, `-` for none.
#[derive(clap::Args)]
#[command(next_help_heading = "Which records")]
pub(super) struct FilterArguments {
    /// Since then, in UTC: 2h, 7d, today, yesterday, last-night, monday, 02:00, a day, or a time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Until then; a day and last-night with their end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Decisions: allow, ask, deny, defer
    #[arg(long, alias = "effect", value_name = "LIST", allow_hyphen_values = true)]
    decision: Vec<String>,
    /// Kinds of record, like tool.pre or finding
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    kind: Vec<String>,
    /// Tools: Bash, 'mcp:*', mcp__github__delete_repo
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    tool: Vec<String>,
    /// Rules that made the decision, or changed what came back
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    rule: Vec<String>,
    /// Rules that matched or may have, whether that made a difference or not
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    matched: Vec<String>,
    /// Sessions; of one, the beginning of its id will do
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    session: Vec<String>,
    /// Threads of the runtime: main, a subagent's kind, or its id
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    agent: Vec<String>,
    /// Hosts that were connected to
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    host: Vec<String>,
    /// Paths that were read or written; `.env` is any path that ends so
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    path: Vec<String>,
    /// User ids
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    uid: Vec<String>,
    /// Runtimes: claude, codex
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    runtime: Vec<String>,
    /// What findings found
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    code: Vec<String>,
    /// Beginnings of policies' digests
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    policy: Vec<String>,
    /// What decisions rest on: rule, default, unattended, built-in, limit, budget, failsafe
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    basis: Vec<String>,
    /// Calls, by the call's id or the runtime's
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    call: Vec<String>,
    /// Not this: `--not tool=Bash,Read`, for any of the lists above
    #[arg(long, value_name = "NAME=LIST")]
    not: Vec<String>,
    /// Decided no faster than that: 5ms, 1.5s
    #[arg(long, value_name = "DURATION")]
    slower_than: Option<String>,
    /// A regular expression that one of the record's texts fits
    #[arg(short = 'g', long = "grep", value_name = "REGEX", allow_hyphen_values = true)]
    grep: Option<String>,
    /// What times are relative to, instead of now
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

impl FilterArguments {
    /// The filter that was asked for.
    pub(super) fn filter(&self) -> Result<Filter, String> {
        let one = [
            ("since", &self.since),
            ("until", &self.until),
            ("slower-than", &self.slower_than),
            ("grep", &self.grep),
            ("now", &self.now),
        ];
        let lists = [
            ("decision", &self.decision),
            ("kind", &self.kind),
            ("tool", &self.tool),
            ("rule", &self.rule),
            ("matched", &self.matched),
            ("session", &self.session),
            ("agent", &self.agent),
            ("host", &self.host),
            ("path", &self.path),
            ("uid", &self.uid),
            ("runtime", &self.runtime),
            ("code", &self.code),
            ("policy", &self.policy),
            ("basis", &self.basis),
            ("call", &self.call),
        ];
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, text: &String| pairs.push((name.to_owned(), text.clone()));
        for (name, text) in one {
            text.iter().for_each(|text| add(name, text));
        }
        for (name, texts) in lists {
            texts.iter().for_each(|text| add(name, text));
        }
        for not in &self.not {
            let (name, list) = not
                .split_once('=')
                .ok_or_else(|| format!("--not {not}: write --not NAME=LIST, like tool=Bash"))?;
            pairs.push((format!("not-{name}"), list.to_owned()));
        }
        let filter = Filter::from_pairs(pairs, jiff::Timestamp::now());
        let filter = filter.map_err(|error| format!("--{error}"))?;
        in_order(filter)
    }
}

/// The filter, unless no time can fit it.
pub(super) fn in_order(filter: Filter) -> Result<Filter, String> {
    match (filter.since(), filter.until()) {
        (Some(since), Some(until)) if since >= until => {
            Err("--until is no later than --since, so nothing can fit".to_owned())
        }
        _ => Ok(filter),
    }
}

/// Where a command looks: in a log's directory, in files, or on standard input.
pub(super) fn source(directory: &Directory, file: Option<&Path>) -> Result<Source, String> {
    match file {
        None => Ok(Source::directory(&directory.path()?)),
        Some(path) if path == Path::new("-") => Ok(Source::stdin()),
        Some(path) if path.is_dir() => Ok(Source::directory(path)),
        Some(path) if path.exists() => Ok(Source::file(path)),
        Some(path) => Err(format!("there is no file `{}`", path.display())),
    }
}
