//! `toolgate audit query`: the records that fit a filter.

use super::{Directory, Format, print};
use crate::audit::Entry;
use crate::audit::wire::WireRecord;
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;
use crate::model::finding::Code;
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::policy::pattern::text::TextPattern;
use clap::builder::PossibleValuesParser;
use std::cell::Cell;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// Decisions, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = ["allow", "ask", "deny", "defer"])]
    decision: Vec<String>,
    /// A tool; `*` stands for any text
    #[arg(long)]
    tool: Option<String>,
    /// A session
    #[arg(long)]
    session: Option<String>,
    /// A rule that made the decision
    #[arg(long)]
    rule: Option<String>,
    /// A kind of record
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)))]
    kind: Option<String>,
    /// What a finding found
    #[arg(long, value_parser = PossibleValuesParser::new(Code::ALL.map(Code::as_str)))]
    code: Option<String>,
    /// Print only how many there are
    #[arg(long)]
    count: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(query: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let mut filter = Filter::of(query);
    let entries = query.directory.entries(&whole)?;
    let found: Vec<Entry> = entries.filter(|entry| filter.fits(&entry.record)).collect();
    filter.tell_of_strangers();
    match query.count {
        true => say!("{}", found.len()),
        false => print(found.iter(), &query.format),
    }
    Ok(whole.get())
}

/// A query, and which of its names any record had: a name that is nowhere may be a slip.
struct Filter<'a> {
    query: &'a Arguments,
    tool: Option<TextPattern>,
    knows_tool: bool,
    knows_session: bool,
    knows_rule: bool,
}

impl<'a> Filter<'a> {
    fn of(query: &'a Arguments) -> Filter<'a> {
        Filter {
            query,
            tool: query.tool.as_deref().map(TextPattern::parse),
            knows_tool: false,
            knows_session: false,
            knows_rule: false,
        }
    }

    fn fits(&mut self, record: &WireRecord) -> bool {
        let query = self.query;
        let decision = record.decision.as_ref();
        let is_tool = self
            .tool
            .as_ref()
            .is_none_or(|tool| record.tool.as_deref().is_some_and(|name| tool.matches(name)));
        let is_session =
            query.session.as_ref().is_none_or(|id| record.session.as_ref() == Some(id));
        let is_rule = query.rule.as_ref().is_none_or(|id| {
            decision.is_some_and(|decision| decision.rules.iter().any(|rule| rule.id == *id))
        });
        self.knows_tool |= is_tool;
        self.knows_session |= is_session;
        self.knows_rule |= is_rule;
        let effect = decision.map(|decision| decision.effect.as_str()).unwrap_or_default();
        let code = || record.details.get("code").and_then(Json::as_str);
        is_tool
            && is_session
            && is_rule
            && (query.decision.is_empty() || query.decision.iter().any(|wanted| wanted == effect))
            && query.kind.as_ref().is_none_or(|kind| record.kind == *kind)
            && query.code.as_ref().is_none_or(|wanted| code() == Some(wanted))
    }

    fn tell_of_strangers(&self) {
        let query = self.query;
        for (known, what, name) in [
            (self.knows_tool, "tool", &query.tool),
            (self.knows_session, "session", &query.session),
            (self.knows_rule, "rule", &query.rule),
        ] {
            if let (false, Some(name)) = (known, name) {
                complain!("warning: no record of this log has the {what} `{}`", plain(name));
            }
        }
    }
}
