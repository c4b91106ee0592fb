//! `toolgate audit show`: one decision whole.

mod screen;

use super::Directory;
use super::pick::{policies, tell};
use crate::audit::query::Source;
use crate::audit::wire::WireRecord;
use crate::author::explain::{Explainer, Written};
use crate::cli::Outcome;
use crate::cli::out::{self, complain, say};
use crate::cli::policy::{Asked, Ready, home};
use crate::cli::show::{lines, plain};
use crate::policy::builtin::Protected;
use crate::policy::compile;
use crate::redact::Redactor;
use crate::review::decision::{Again, Asker, DecisionView, Found, InLog, Sources, Wanted, ask};
use crate::review::policies::{Kept, KeptPolicies, KeptPolicy, Policies};
use crate::world::Same;
use std::cell::Cell;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A call id, a tool use id, a sequence number, or STREAM/NUMBER
    id: String,
    #[command(flatten)]
    directory: Directory,
    /// How it is told
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
    /// Print the line as it stands in the log, and nothing else
    #[arg(long)]
    raw: bool,
    /// The policy that is asked what it would say now [default: the one that came into force
    /// last, else the shipped one]
    #[command(flatten)]
    asked: Asked,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let wanted = Wanted::parse(&arguments.id);
    let log = Source::directory(&arguments.directory.path()?);
    let found = Found::of(&wanted, &log, |bad| tell(bad, &whole));
    let Some(found) = found.map_err(|error| error.to_string())? else {
        complain!("error: no record has the id `{}`", plain(&arguments.id));
        return Ok(Outcome::Findings);
    };
    if arguments.raw {
        say!("{}", found.main.text);
        return Ok(Outcome::Fine);
    }
    let view = view(arguments, found, &whole)?;
    match arguments.format.as_str() {
        "json" => {
            let json = serde_json::to_string_pretty(&view).map_err(|error| error.to_string())?;
            say!("{}", crate::policy::diagnostic::ascii(&json));
        }
        _ => out::text(&screen::whole(&view)),
    }
    Ok(Outcome::Fine)
}

fn view(
    arguments: &Arguments,
    found: Found,
    whole: &Cell<Outcome>,
) -> Result<DecisionView, String> {
    let directory = arguments.directory.path()?;
    let policies = policies(&arguments.directory, whole)?;
    let kept = super::kept(&directory);
    let asker = Asking::of(arguments, &policies, &kept)?;
    let prover = InLog(&directory);
    Ok(DecisionView::of(
        found,
        &Sources { policies: &policies, kept: &kept, asker: &asker, prover: &prover },
    ))
}

/// The policies that are asked, in the world of who asks.
struct Asking<'a> {
    world: Same,
    redactor: Redactor,
    now: Now<'a>,
    kept: &'a dyn Kept,
}

/// The current policy.
enum Now<'a> {
    /// One that was named, or the shipped one.
    Named(Box<Ready>),
    /// The one that came into force last.
    Last(&'a crate::review::policies::PolicyLoad),
}

impl<'a> Asking<'a> {
    fn of<T>(
        arguments: &Arguments,
        policies: &'a Policies,
        kept: &'a KeptPolicies<T>,
    ) -> Result<Asking<'a>, String>
    where
        KeptPolicies<T>: Kept,
    {
        let last = policies.loads.last().filter(|load| kept.policy(load).is_ok());
        let now = match last {
            Some(load) if !arguments.asked.is_named() => Now::Last(load),
            Some(_) | None => Now::Named(Box::new(arguments.asked.read()?)),
        };
        let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
        Ok(Asking { world: Same { home: home(), path: None }, redactor, now, kept })
    }
}

impl Asker for Asking<'_> {
    fn then(&self, record: &WireRecord, policy: &KeptPolicy) -> Again {
        let written = Written::of(&policy.written);
        let (world, redactor) = (&self.world, &self.redactor);
        ask(record, &Explainer { bound: &policy.bound, written, world, redactor })
    }

    fn now(&self, record: &WireRecord) -> Again {
        match &self.now {
            Now::Last(load) => match self.kept.policy(load) {
                Ok(policy) => self.then(record, &policy),
                Err(why) => Again::untold(why),
            },
            Now::Named(ready) => {
                let Ready { sources, bound, redactor } = &**ready;
                let compiled = compile(sources, &bound.anchors, &Protected::default());
                let (written, world) = (Written::of(&compiled.written), &self.world);
                ask(record, &Explainer { bound, written, world, redactor })
            }
        }
    }
}

/// A JSON value as it is printed for people: several lines, harmless.
pub(super) fn pretty(value: &crate::model::json::Json) -> String {
    lines(&serde_json::to_string_pretty(value).unwrap_or_default())
}
